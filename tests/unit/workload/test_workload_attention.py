"""Fused attention: its class, its FLOPs with and without a causal mask, its memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from joulecast.workload import OperatorKind, Phase, analyze
from joulecast.workload.kernels import attended

B, H, T, D = 2, 3, 8, 4


class Attention(nn.Module):
    def __init__(self, causal=False, kv_heads=H):
        super().__init__()
        self.q = nn.Linear(H * D, H * D)
        self.kv = nn.Linear(H * D, 2 * kv_heads * D)
        self.causal, self.kv_heads = causal, kv_heads

    def forward(self, x):
        q = self.q(x).view(-1, T, H, D).transpose(1, 2)
        k, v = self.kv(x).view(-1, T, 2, self.kv_heads, D).permute(2, 0, 3, 1, 4)
        out = functional.scaled_dot_product_attention(
            q, k, v, is_causal=self.causal, enable_gqa=self.kv_heads != H
        )
        return out.transpose(1, 2).reshape(-1, T, H * D)


def attention(work, phase):
    (op,) = [op for op in work.ops if op.kind is OperatorKind.ATTENTION and op.phase is phase]
    return op


@pytest.mark.parametrize("kv_heads", [1, H])
def test_two_products_forward_and_five_backward(kv_heads):
    work = analyze(Attention(kv_heads=kv_heads), (T, H * D), batch=B)
    product = 2 * B * H * T * T * D
    assert attention(work, Phase.FORWARD).flops == 2 * product
    assert attention(work, Phase.BACKWARD).flops == 5 * product
    assert attention(work, Phase.FORWARD).shape == (B * H, T, T, D, D, 0)


def test_a_causal_kernel_skips_later_keys():
    work = analyze(Attention(causal=True), (T, H * D), batch=B)
    assert attention(work, Phase.FORWARD).flops == 2 * 2 * B * H * D * T * (T + 1) / 2


def test_pairs_attended_are_those_of_the_mask():
    for queries in range(1, 6):
        for keys in range(1, 6):
            mask = torch.ones(queries, keys).tril()
            assert attended(queries, keys, True) == mask.sum()
            assert attended(queries, keys, False) == queries * keys


def test_scores_are_never_written():
    work = analyze(Attention(), (T, H * D), batch=B)
    values = B * H * T * D
    sums = B * H * T
    assert attention(work, Phase.FORWARD).bytes == 4 * (4 * values + sums)
    assert attention(work, Phase.BACKWARD).bytes == 4 * (4 * values + values + 3 * values + sums)


def test_shapes_that_do_not_fit_are_an_error():
    class Wrong(nn.Module):
        def forward(self, x):
            return functional.scaled_dot_product_attention(x, x[..., :2], x)

    from joulecast.errors import UsageError

    with pytest.raises(UsageError):
        analyze(Wrong(), (2, 3, 4), training=False)
