import pytest

from fakes.stored_runs import header
from joulecast.masking import MASK, masked, masked_command
from joulecast.recording.model import Header, Metric, Span

SECRETS = {
    "python train.py --api-key=S3CRET --lr=1e-3": "python train.py --api-key=*** --lr=1e-3",
    "python train.py --token S3CRET --epochs 3": "python train.py --token *** --epochs 3",
    "--lr TOKEN=S3CRET": "--lr TOKEN=***",
    "WANDB_API_KEY=S3CRET python x.py": "WANDB_API_KEY=*** python x.py",
    "sh -c 'HF_TOKEN=S3CRET python x.py --apiKey \"S3 CRET\"'": (
        "sh -c 'HF_TOKEN=*** python x.py --apiKey ***'"
    ),
    "+trainer.hub_token=S3CRET": "+trainer.hub_token=***",
    "postgresql://ann:S3CRET@db/runs?sslmode=require": (
        "postgresql://ann:***@db/runs?sslmode=require"
    ),
    "postgresql://ann:S3@CR:ET@db/runs": "postgresql://ann:***@db/runs",
    "redis://:S3CRET@db:6379": "redis://:***@db:6379",
    "ann:S3CRET@db": "ann:***@db",
    "https://x.org/a?token=S3CRET&page=2": "https://x.org/a?token=***&page=2",
    "curl -H 'Authorization: Bearer S3CRET' url": "curl -H 'Authorization: Bearer ***' url",
    'curl -H "X-Api-Key: S3CRET" url': 'curl -H "X-Api-Key: ***" url',
    "AWS_SECRET_ACCESS_KEY=S3/CR+ET": "AWS_SECRET_ACCESS_KEY=***",
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE": "AWS_ACCESS_KEY_ID=***",
    "log in with hf_abcdefghijklmnopqrstuv now": "log in with *** now",
    "sk-proj-abcdefghijklmnopqrstuv": "***",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "***",
    "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "***",
    "take xoxb-1234567890-abcdef, glpat-abcdefghij1234567890": "take ***, ***",
    "gsk_abcdefghijklmnopqrstuvwxyz https://hooks.slack.com/services/T0/B0/XX?a=1": (
        "*** https://hooks.slack.com/services/***?a=1"
    ),
    "DB_PASS=S3CRET MYSQL_PWD=S3CRET": "DB_PASS=*** MYSQL_PWD=***",
}
HARMLESS = """
python train.py --max-tokens 512 --tokenizer gpt2 --pad-token <pad> --sort-key loss --lr=1e-3
--num-tokens 5 --token-dim=64 --tokens=12 --key-dim 64 --num-key-value-heads 8 --monkey 3
docker.io/library/python:3.11@sha256:abcdef
python -m torch.distributed.run --nproc_per_node=2 train.py
--pass-through --passes=3 --compass north --bypass=1 --eos_token=</s> --primary-key=id
https://github.com/org/repo.git git@github.com:org/repo.git s3://bucket/key?versionId=3
basic training --author=me, the token is here and the password too --price-per-token=3
"""


@pytest.mark.parametrize(("text", "expected"), SECRETS.items())
def test_secrets_are_masked_once_and_for_all(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert masked(expected) == expected


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_words_of_machine_learning_stay(text: str) -> None:
    assert masked(text) == text
    assert masked_command(text.split()) == text.split()


def test_an_argument_after_the_name_of_a_secret_is_masked() -> None:
    command = ["curl", "-u", "ann:S3CRET", "--password", "S3CRET", "--token", "--lr", "3"]
    expected = ["curl", "-u", "ann:***", "--password", "***", "--token", "--lr", "3"]
    assert masked_command(command) == expected
    aws = ["python", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3"]
    assert masked_command(aws) == ["python", MASK, MASK, "s3"]


def test_tags_are_masked_by_their_names() -> None:
    tags = {"api_key": "S3CRET", "note": "see hf_abcdefghijklmnopqrstuv", "token_count": "3"}
    assert masked(tags) == {"api_key": MASK, "note": "see ***", "token_count": "3"}
    assert masked({"notes": ["password: S3CRET", 3, None]}) == {"notes": ["password: ***", 3, None]}


@pytest.mark.parametrize("part", ["a-", "a:", "://a:", "sk-", ":a@", "--token ", "a."])
def test_a_long_argument_takes_no_more_time_than_it_is_long(part: str) -> None:
    assert len(masked(part * 20_000)) > 0


def test_a_header_holds_no_secret() -> None:
    made: Header = header(
        name="train --token S3CRET",
        command=["python", "--token", "S3CRET"],
        tags={"password": "S3CRET"},
        warnings=["postgresql://ann:S3CRET@db/runs does not answer"],
    )
    assert "S3CRET" not in repr(made)
    assert made.command == ["python", "--token", MASK]


def test_names_of_spans_and_metrics_hold_no_secret() -> None:
    secret = "hf_abcdefghijklmnopqrstuv"
    assert Span(1, None, "phase", f"push {secret}", 0.0).name == "push ***"
    assert Metric(0.0, f"loss of {secret}", 1.0).name == "loss of ***"
    assert Metric(0.0, "val/next_token_accuracy", 1.0).name == "val/next_token_accuracy"
