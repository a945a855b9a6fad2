"""What llama.cpp cannot run: models whose encoder reads the prompt, and whose decoder writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from manera.dataset.encoding import Encoder
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.transformers_engine import TransformersEngine
from manera.model.encoder_decoder import encoder_input
from manera.voice.manifest import Sampling
from tiny import TEXT

NEW_TOKENS = 16
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=NEW_TOKENS)
START = 0


def tiny_t5(vocabulary: int) -> Any:
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config = T5Config(vocab_size=vocabulary, **shape, decoder_start_token_id=START, initializer_factor=20.0)
    return T5ForConditionalGeneration(config)


def tiny_bart(vocabulary: int) -> Any:
    layers = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    shape = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "init_std": 1.0}
    config = BartConfig(
        vocab_size=vocabulary, **shape, **layers, decoder_start_token_id=START, forced_eos_token_id=None
    )
    return BartForConditionalGeneration(config)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # PEFT asks transformers by an old name
@pytest.mark.parametrize("build", [tiny_t5, tiny_bart])
def test_a_model_with_an_encoder_writes_what_transformers_writes(
    build: Callable[[int], Any], tiny_encoder: Encoder, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    tokenizer = tiny_encoder.tokenizer
    model = build(tokenizer.get_vocab_size())
    prompt = tiny_encoder.text(TEXT)[:40]
    adapted = get_peft_model(build(tokenizer.get_vocab_size()), LoraConfig(target_modules=["q_proj", "v_proj", "q"]))
    adapted.get_base_model().load_state_dict(_renamed(model.state_dict(), adapted.get_base_model().state_dict()))
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=1.0)
    adapted.save_pretrained(tmp_path)
    expected = {voice: _continued(one, prompt) for voice, one in (("", model), ("anna", adapted))}
    assert expected[""] != expected["anna"]
    with TransformersEngine(model, tokenizer, ends=(), context_length=128, device="cpu") as engine:
        engine.add_adapter("anna", tmp_path)
        for voice in ("anna", "", "anna"):
            *made, finished = stream(engine, Request(prompt, GREEDY, {voice: 1.0} if voice else {}))
            assert isinstance(finished, Finished)
            assert (finished.reason, finished.new_tokens) == ("length", NEW_TOKENS)
            text = "".join(token.text for token in made if isinstance(token, Token))
            assert text == _decoded(tokenizer, expected[voice])


def _continued(model: Any, prompt: list[int]) -> list[int]:
    """Write greedily as transformers does it, whole sequences anew, without a cache."""
    asked, written = torch.tensor([encoder_input(prompt, model.config)]), [START]
    for _ in range(NEW_TOKENS):
        with torch.no_grad():
            read = model.eval()(input_ids=asked, decoder_input_ids=torch.tensor([written]))
        written.append(int(read.logits[0, -1].argmax()))
    return written[1:]


def _decoded(tokenizer: Tokenizer, ids: list[int]) -> str:
    """Decode whole characters alone: what these models write may end within one."""
    decoder = DecodeStream(skip_special_tokens=True)
    return "".join(decoder.step(tokenizer, index) or "" for index in ids)


def _renamed(state: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Give weights the names they have under PEFT."""
    return {name: state.get(name.replace(".base_layer.", "."), weight) for name, weight in names.items()}
