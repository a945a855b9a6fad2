// Render a template as Ollama does: template.Execute of github.com/ollama/ollama/template, for templates with .Messages.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type task struct {
	Template string      `json:"template"`
	Talks    [][]message `json:"talks"`
}

// Adjacent messages of one role become one, with an empty line between them.
func collate(messages []message) (string, []*message) {
	var system []string
	var joined []*message
	for place := range messages {
		if messages[place].Role == "system" {
			system = append(system, messages[place].Content)
		}
		if last := len(joined) - 1; last >= 0 && joined[last].Role == messages[place].Role {
			joined[last].Content += "\n\n" + messages[place].Content
		} else {
			joined = append(joined, &messages[place])
		}
	}
	return strings.Join(system, "\n\n"), joined
}

func main() {
	var tasks []task
	if err := json.NewDecoder(os.Stdin).Decode(&tasks); err != nil {
		panic(err)
	}
	rendered := make([][]string, len(tasks))
	for place, asked := range tasks {
		parsed := template.Must(template.New("").Option("missingkey=zero").Parse(asked.Template))
		for _, talk := range asked.Talks {
			system, messages := collate(talk)
			var written strings.Builder
			values := map[string]any{"System": system, "Messages": messages, "Response": ""}
			if err := parsed.Execute(&written, values); err != nil {
				panic(err)
			}
			rendered[place] = append(rendered[place], written.String())
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(rendered); err != nil {
		panic(err)
	}
}
