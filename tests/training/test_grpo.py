"""One step of GRPO by the real TRL, on the CPU, with a model of one layer and random weights."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch
from datasets import Dataset
from reward_fakes import Verifier
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from streamverify.core.errors import Unscored
from streamverify.rewards import async_lean_reward, lean_reward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS = [{"prompt": "prove it", "formal": "theorem t : 1 = 1 := by"}] * 8
SAMPLES = 4


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte: nothing is loaded from anywhere."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: number for number, sign in enumerate(["<pad>", "<eos>", *alphabet])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")


def one_step(folder: Path, *reward_functions: Any) -> dict[str, Any]:
    """Train for one step; returns what TRL logs of it."""
    torch.manual_seed(0)
    tokens = tokenizer()
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokens), num_key_value_heads=2, pad_token_id=0, eos_token_id=1, **shape)
    trainer = GRPOTrainer(
        model=LlamaForCausalLM(config),
        reward_funcs=list(reward_functions),
        args=GRPOConfig(
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            report_to=[],
            max_steps=1,
            per_device_train_batch_size=SAMPLES,
            num_generations=SAMPLES,
            max_completion_length=8,
            logging_steps=1,
            save_strategy="no",
        ),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tokens,
    )
    trainer.train()
    logged: dict[str, Any] = trainer.state.log_history[0]
    return logged


def in_turn(*proofs: str) -> Callable[[str], str]:
    """Find these proofs in the completions, in turn: a random model writes none."""
    waiting = list(proofs)
    return lambda _: waiting.pop(0)


def other(prompts: Any, completions: Any, **columns: Any) -> list[float]:  # noqa: ARG001 -- TRL's names
    """Another reward function, which is always content."""
    return [0.5] * len(completions)


@contextmanager
def worker(servers: str) -> Iterator[None]:
    """A worker with the synthetic REPL."""
    environment = {
        **os.environ,
        "STREAMVERIFY_BOOTSTRAP_SERVERS": servers,
        "STREAMVERIFY_REPL": "synthetic",
        "STREAMVERIFY_REQUIRE": "checked",
        "STREAMVERIFY_HTTP_PORT": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "streamverify", "worker"], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("make", [lean_reward, async_lean_reward])
def test_one_step_with_verdicts_from_a_worker(tmp_path: Path, servers: str, make: Any) -> None:
    good, bad = "theorem t : 1 = 1 := rfl -- {}", "theorem t : 1 = 1 := rfl -- synthetic: error {}"
    extract = in_turn(good.format(1), bad.format(2), good.format(3), good.format(4))
    # A stand-in cannot audit, nor compare with a statement.
    reward = make(servers, statement=None, require="checked", extract=extract, timeout=90)
    with worker(servers):
        logged = one_step(tmp_path, reward)
    assert logged["rewards/lean_reward/mean"] == pytest.approx(0.75)
    assert logged["reward"] == pytest.approx(0.75)
    assert logged["step"] == 1


def test_a_failure_ends_the_training(tmp_path: Path) -> None:
    extract = in_turn("ok", "ok", "worker_error", "ok")
    reward = lean_reward(statement="formal", verify=Verifier(), extract=extract, retries=0)
    with pytest.raises(Unscored, match="1 of 4"):
        one_step(tmp_path, reward)


def test_none_alone_leaves_the_completion_out(tmp_path: Path) -> None:
    extract = in_turn("ok", "worker_error", "ok", "lean_error")
    reward = lean_reward(statement="formal", verify=Verifier(), extract=extract, retries=0, on_failure=None)
    logged = one_step(tmp_path, reward)
    assert logged["reward"] == pytest.approx(2 / 3)


def test_none_beside_another_reward_function_counts_as_zero(tmp_path: Path) -> None:
    """What docs/rewards.md warns of; where TRL changes it, this says so."""
    extract = in_turn("ok", "worker_error", "ok", "worker_error")
    reward = lean_reward(statement="formal", verify=Verifier(), extract=extract, retries=0, on_failure=None)
    logged = one_step(tmp_path, reward, other)
    assert logged["rewards/lean_reward/mean"] == pytest.approx(1.0)
    # (1 + 0.5), (None + 0.5), (1 + 0.5), (None + 0.5): None was added as 0.
    assert logged["reward"] == pytest.approx(1.0)
