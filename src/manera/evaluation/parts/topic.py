"""Does it speak about what was asked: prompts found by their texts, and true replies ranked above others."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from manera.dataset.encoding import Encoder
from manera.evaluation.asked import Task
from manera.evaluation.encoders import Encoders
from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Floats
from manera.evaluation.measures.prompt_matching import CANDIDATES, found_prompts
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import BASE, VOICE
from manera.evaluation.scoring import nats
from manera.evaluation.written import Answers
from manera.records import Example, Message


def true_replies(tasks: Sequence[Task], encoders: Encoders, model: nn.Module, seed: int) -> Iterator[Metric]:
    """Rank the true reply to each prompt among the replies to all of them."""
    replies = [task.reply for task in tasks]
    groups = [task.conversation for task in tasks]
    for rung in (BASE, VOICE):
        shares = _true_reply_ranks(model, encoders.at(rung.voice_scale), tasks, replies, rung.voice_scale)
        name, unit = f"topic.true_reply.{rung.name}", "share_of_replies_ranked_below"
        found = intervals.mean(shares, seed, groups)
        yield metric(name, found, unit, len(shares), "higher", "prompts", others=len(replies) - 1)


def prompts_found(answers: Answers, seed: int) -> Iterator[Metric]:
    """Find prompts by what was written on them."""
    prompts = [task.asked for task in answers.tasks]
    if len(prompts) < CANDIDATES:
        hint = "train on a larger corpus"
        raise NotMeasuredError("too_few_prompts", hint, found=len(prompts), needed=CANDIDATES)
    for who, texts in answers.texts().items():
        right = found_prompts(prompts, texts)
        share = intervals.share(right, seed, answers.conversations)
        name, unit = f"topic.prompt_found.{who}", "share_of_prompts_found"
        yield metric(name, share, unit, len(right), "higher", "texts", candidates=CANDIDATES)


def _true_reply_ranks(
    model: nn.Module, encoder: Encoder, tasks: Sequence[Task], replies: Sequence[str], voice_scale: float
) -> list[float]:
    """Return for each task the share of other people's moments' replies that the true one is likelier than.

    Each reply is scored by what the prompt adds to it, so that common short replies do not always win: its nats
    after this prompt less its nats after no prompt.
    """
    alone = _nats(model, encoder, [((), reply) for reply in replies], voice_scale)
    shares = []
    for place, task in enumerate(tasks):
        after = _nats(model, encoder, [(task.messages[-1:], reply) for reply in replies], voice_scale)
        gain = alone - after
        others = np.delete(gain, place)
        shares.append(float((gain[place] > others).mean() + (gain[place] == others).mean() / 2))
    return shares


def _nats(
    model: nn.Module, encoder: Encoder, pairs: Sequence[tuple[Sequence[Message], str]], voice_scale: float
) -> Floats:
    examples = [Example((*before, Message("assistant", reply))) for before, reply in pairs]
    return nats(model, [encoder.example(example) for example in examples], voice_scale)
