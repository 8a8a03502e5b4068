"""Trainings that save memory or time: checkpoints, adapters, no padding, compiled kernels."""

import pytest
import torch
from torch import nn

from joulecast.errors import UsageError
from joulecast.workload import OperatorKind, Phase, analyze
from joulecast.workload.blocks import blocks_of


class Block(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 16)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.head = nn.Linear(16, 100)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8)
        )

    def forward(self, x):
        return self.layers(x)


def multiplied(work, phase=None):
    return work.flops(phase, OperatorKind.MATMUL)


def test_blocks_are_what_holds_parameters_in_the_outermost_lists():
    assert len(blocks_of(Net())) == 4
    stages = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.Sequential(Block(), Block()),
        nn.Sequential(Block(), nn.ReLU(), nn.Sequential(Block(), Block())),
    )
    assert len(blocks_of(stages)) == 1 + 2 + 1 + 2
    assert blocks_of(nn.Linear(2, 2)) == []
    work = analyze(Net, 8, batch=2)
    assert work.blocks == 4
    assert work.block_bytes == 4 * (16 * 64 + 64 + 64 * 16 + 16 + 32)
    assert work.block_output_bytes == 4 * 2 * 8 * 16


def test_checkpoints_keep_what_goes_from_block_to_block():
    plain, again = (analyze(Net, 8, batch=2, gradient_checkpointing=c) for c in (False, True))
    assert again.activation_bytes < plain.activation_bytes / 2
    assert multiplied(again, Phase.FORWARD) == multiplied(plain, Phase.FORWARD)
    block_flops = multiplied(plain, Phase.FORWARD) - 2 * 16 * 16 * 100
    more = multiplied(again) - multiplied(plain)
    assert 0.49 * block_flops <= more <= block_flops
    assert again.recomputed_flops >= more
    inference = analyze(Net, 8, batch=2, training=False, gradient_checkpointing=True)
    assert inference.flops() == analyze(Net, 8, batch=2, training=False).flops()


@pytest.mark.parametrize("lora", [4, "4", "r=4", " r = 4 "])
def test_adapters_alone_are_trained(lora):
    full, work = analyze(Net, 8, batch=2), analyze(Net, 8, batch=2, lora=lora)
    adapters = 4 * 2 * 4 * (16 + 64)
    assert work.parameters == full.parameters + adapters
    assert work.gradient_bytes == 4 * adapters
    assert work.optimizer_bytes == 2 * 4 * adapters
    # The weights' gradients, a third of the products, are not computed; the adapters' are.
    added = 2 * 16 * adapters
    assert multiplied(work, Phase.FORWARD) == multiplied(full, Phase.FORWARD) + added
    assert multiplied(work) < 0.9 * multiplied(full) + 3 * added


def test_frozen_weights_have_the_16_bit_type():
    fp32, bf16 = (analyze(Net, 8, batch=2, lora=4, precision=p) for p in ("fp32", "bf16"))
    trained = fp32.gradient_bytes
    norms = 4 * 4 * 2 * 16
    assert bf16.weight_bytes - trained - norms == pytest.approx(
        (fp32.weight_bytes - trained - norms) / 2
    )


def test_adapters_of_convolutions():
    work = analyze(Conv, (3, 16, 16), batch=2, lora=1)
    # A convolution of the same size to one channel, and one of width 1.
    assert work.gradient_bytes == 4 * ((3 * 9 + 8) + (8 * 9 + 8))


def test_a_rank_that_cannot_be():
    for lora in (17, "r=17"):
        with pytest.raises(UsageError, match=r"16 wide: use at most r=16"):
            analyze(Net, 8, lora=lora)
    for lora in (0, -1, "r=0", "q", "r=", "r=1.5"):
        with pytest.raises(UsageError, match="r=16"):
            analyze(Net, 8, lora=lora)
    with pytest.raises(UsageError, match="no linear"):
        analyze(nn.Sequential(nn.LayerNorm(4), nn.LayerNorm(4)), (4,), lora=2)


def test_padding_that_is_not_computed():
    assert analyze(Net, 8, batch=2, mean_length=5).flops() == analyze(Net, 5, batch=2).flops()
    for length in (0, 9):
        with pytest.raises(UsageError, match="--mean-length"):
            analyze(Net, 8, mean_length=length)
    with pytest.raises(UsageError, match="--mean-length"):
        analyze(Conv, (3, 16, 16), mean_length=8)


def test_compiled_chains_are_fewer_kernels_that_move_less():
    plain, fused = (analyze(Net, 64, batch=8, compile=c) for c in (False, True))
    assert fused.flops() == plain.flops()
    assert fused.launches() < 0.8 * plain.launches()
    assert fused.bytes(kind=OperatorKind.MATMUL) == plain.bytes(kind=OperatorKind.MATMUL)
    assert fused.bytes(Phase.FORWARD) < plain.bytes(Phase.FORWARD)

    class Repeated(nn.Module):
        """Equal operators of one module, which are counted as one."""

        def __init__(self):
            super().__init__()
            self.last = nn.Linear(1000, 1)

        def forward(self, x):
            return self.last(x.relu().relu() * x)

    plain, fused = (analyze(Repeated(), (1000,), training=False, compile=c) for c in (False, True))
    assert plain.launches(kind=OperatorKind.ELEMENTWISE) == 3
    assert fused.launches(kind=OperatorKind.ELEMENTWISE) == 1
    assert fused.flops() == plain.flops()
    # It reads x twice, and writes once.
    assert fused.bytes(kind=OperatorKind.ELEMENTWISE) == 3 * 4000

    chain = nn.Sequential(*(nn.ReLU() for _ in range(4)), nn.Linear(1000, 1))
    plain, fused = (analyze(chain, (1000,), training=False, compile=c) for c in (False, True))
    # Four of them read and write 4 kB each, one does so once.
    assert plain.bytes(kind=OperatorKind.ELEMENTWISE) == 4 * 8000
    assert fused.bytes(kind=OperatorKind.ELEMENTWISE) == 8000
    assert fused.launches(kind=OperatorKind.ELEMENTWISE) == 1


def test_what_a_model_learns_positions_of_is_its_context():
    transformers = pytest.importorskip("transformers", reason="configurations are transformers'")
    del transformers
    bert = "transformers:BertConfig(num_hidden_layers=1, hidden_size=64, num_attention_heads=2)"
    with pytest.raises(UsageError, match="512 tokens"):
        analyze(bert, 513)
    llama = "transformers:LlamaConfig(num_hidden_layers=1, hidden_size=64, num_attention_heads=2{})"
    # Rotary positions have no end: only a stated context is one.
    assert analyze(llama.format(""), 2049, training=False).flops()
    with pytest.raises(UsageError, match="128 tokens"):
        analyze(llama.format(", max_position_embeddings=128"), 129)
    assert analyze(llama.format(", max_position_embeddings=128"), 128, training=False).flops()


def test_the_model_is_not_changed_by_options():
    net = Net()
    analyze(net, 8, lora=2, gradient_checkpointing=True, precision="bf16", compile=True)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in net.parameters())
    assert "forward" not in vars(net.blocks[0])
