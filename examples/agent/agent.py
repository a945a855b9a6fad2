"""Facts from a tool, words from a voice: a LangGraph agent.

A model that calls tools looks the facts up; it writes no word of the answer. The voice, which knows no facts, says what
was found. Both are asked over OpenAI's API: the model wherever one is served, the voice by ``manera serve``.

python agent.py VOICE "when does the library open?"
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from openai import OpenAI

FACTS = Path(__file__).with_name("facts.json")
LOOK_UP = "Call find_fact for whatever the question needs to know. When you know enough, answer with one word: done."


@tool
def find_fact(about: str) -> str:
    """Find what is known about something, by a word of it."""
    known: dict[str, str] = json.loads(FACTS.read_text("utf-8"))
    found = [fact for name, fact in known.items() if about.lower() in name.lower() or name.lower() in about.lower()]
    return "\n".join(found) or "nothing is known about that"


def agent(model: ChatOpenAI, voices: OpenAI, voice: str, memory: dict[str, Any] | None = None) -> Any:
    """Return a graph that answers messages; memory: with whom and where the voice talks, where it is to remember."""
    looking = model.bind_tools([find_fact])

    def look_up(state: MessagesState) -> dict[str, Any]:
        return {"messages": [looking.invoke([SystemMessage(LOOK_UP), *state["messages"]])]}

    def goes_on(state: MessagesState) -> str:
        last = state["messages"][-1]
        return "tools" if isinstance(last, AIMessage) and last.tool_calls else "say"

    def say(state: MessagesState) -> dict[str, Any]:
        facts = [str(message.content) for message in state["messages"] if isinstance(message, ToolMessage)]
        question = next(message for message in reversed(state["messages"]) if isinstance(message, HumanMessage))
        asked = {"persona_note": "\n".join(facts)} if facts else {}
        if memory:
            asked["memory"] = memory
        said = voices.chat.completions.create(
            model=voice, messages=[{"role": "user", "content": str(question.content)}], extra_body=asked
        )
        return {"messages": [AIMessage(said.choices[0].message.content or "")]}

    graph = StateGraph(MessagesState)
    graph.add_node("look_up", look_up)
    graph.add_node("tools", ToolNode([find_fact]))
    graph.add_node("say", say)
    graph.add_edge(START, "look_up")
    graph.add_conditional_edges("look_up", goes_on, ["tools", "say"])
    graph.add_edge("tools", "look_up")
    graph.add_edge("say", END)
    return graph.compile()


def main(voice: str, question: str) -> None:
    """Answer one question; OPENAI_BASE_URL, OPENAI_API_KEY and AGENT_MODEL name the model that calls tools."""
    model = ChatOpenAI(model=os.environ.get("AGENT_MODEL", "gpt-4o-mini"))
    voices = OpenAI(
        base_url=os.environ.get("MANERA_API_URL", "http://127.0.0.1:8000") + "/v1",
        api_key=os.environ.get("MANERA_API_KEY") or "none",
    )
    memory = {"user": "agent", "chat": "agent"}
    answered = agent(model, voices, voice, memory).invoke({"messages": [HumanMessage(question)]})
    print(answered["messages"][-1].content)


if __name__ == "__main__":
    main(*sys.argv[1:])
