"""Trainers that cannot be installed here: each function prints exactly the lines of one of them.

The formats were compared with the source of the release that the function names. The steps take
their time as in the other trainers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from ground_truth import EPOCHS, STEPS, truth
from tqdm.auto import tqdm


def say(text: str) -> None:
    """A line on standard output."""
    print(text, flush=True)


def log(text: str) -> None:
    """A line where `logging` writes."""
    print(text, file=sys.stderr, flush=True)


def loss(step: int) -> float:
    """A number that falls."""
    return 7.0 / (1 + step / 8)


def clock(form: str) -> str:
    """The time of day."""
    return datetime.now().strftime(form)


def timm(done: int = 0) -> None:
    """pytorch-image-models 1.0, train.py: `Train: 3 [  4/16 ( 31%)]  Loss: ...`, from 0."""
    log("Training with a single process on 1 device (cpu).")
    log("Model resnet18 created, param count:11689512")
    if done:
        log(f"Loaded checkpoint './last.pth.tar' (epoch {done - 1})")
    log(f"Scheduled epochs: {EPOCHS} (epochs + cooldown_epochs). Warmup within epochs when")
    for epoch in range(done, EPOCHS):
        with truth.epoch(epoch + 1):
            for step in range(STEPS):
                truth.step()
                if step % 4 == 0 or step == STEPS - 1:
                    value = loss(epoch * STEPS + step)
                    log(
                        f"Train: {epoch} [{step:>4d}/{STEPS} ({100 * (step + 1) / STEPS:>3.0f}%)]  "
                        f"Loss: {value:#.3g} ({value:#.3g})  "
                        "Time: 0.052s,  153.85/s  (0.060s,  133.33/s)  "
                        f"LR: 1.000e-02  Data: 0.001 (0.002)"
                    )
        with truth.phase("validation"):
            for batch in range(5):
                time.sleep(0.05)
                log(
                    f"Test: [{batch:>4d}/4]  Time: 0.050 (0.050)  Loss: {3.1:>7.4f} ({3.1:>6.4f})  "
                    f"Acc@1: {12.5:>7.4f} ({12.5:>7.4f})  Acc@5: {50.0:>7.4f} ({50.0:>7.4f})"
                )
        log("Current checkpoints:")
        log(f" ('./output/train/checkpoint-{epoch}.pth.tar', {12 + epoch}.5)\n")
    log(f"*** Best metric: 17.5 (epoch {EPOCHS - 1})")


def torchvision(done: int = 0) -> None:
    """torchvision's references/classification: `Epoch: [0]  [ 4/16]  eta: ...`, from 0."""
    say("Not using distributed mode")
    say("Loading data")
    say("Took 0.012")
    say("Creating data loaders")
    say("Creating model")
    say("Start training")
    for epoch in range(done, EPOCHS):
        head = f"Epoch: [{epoch}]"
        with truth.epoch(epoch + 1):
            for step in range(STEPS):
                truth.step()
                if step % 5 == 0:
                    value = loss(epoch * STEPS + step)
                    say(
                        f"{head}  [{step:2d}/{STEPS}]  eta: 0:00:00  lr: 0.1  "
                        f"img/s: 615.3848  loss: {value:.4f} ({value:.4f})  "
                        "acc1: 12.5000 (12.5000)  acc5: 50.0000 (50.0000)  "
                        "time: 0.0520  data: 0.0010  max mem: 0"
                    )
            say(f"{head} Total time: 0:00:00")
        with truth.phase("validation"):
            for batch in range(5):
                time.sleep(0.05)
                say(
                    f"Test:   [{batch}/5]  eta: 0:00:00  loss: 2.1000 (2.1000)  acc1: 12.5000 "
                    "(12.5000)  acc5: 50.0000 (50.0000)  time: 0.0500  data: 0.0001  max mem: 0"
                )
            say("Test:  Total time: 0:00:00")
            say("Test:  Acc@1 12.500 Acc@5 50.000")
    say("Training time 0:00:08")


def detectron2() -> None:
    """detectron2 0.6, CommonMetricPrinter: `eta: 0:00:05  iter: 19  total_loss: ...`."""
    prefix = "\x1b[32m[{} d2.{}]: \x1b[0m"
    day, steps = "%m/%d %H:%M:%S", EPOCHS * STEPS
    log(prefix.format(clock(day), "engine.train_loop") + "Starting training from iteration 0")
    with truth.run_of_steps():
        for step in range(steps):
            truth.step()
            if (step + 1) % 20 == 0 or step == steps - 1:
                eta = int((steps - step) * 0.05)
                log(
                    prefix.format(clock(day), "utils.events")
                    + f" eta: 0:00:{eta:02d}  iter: {step}  total_loss: {loss(step):.4g}  "
                    f"loss_cls: {loss(step) / 2:.4g}  loss_box_reg: 0.1234  loss_rpn_cls: 0.6931  "
                    "loss_rpn_loc: 0.0412    time: 0.0512  last_time: 0.0500  data_time: 0.0012  "
                    "last_data_time: 0.0011   lr: 0.00025  max_mem: 0M"
                )
    with truth.phase("evaluation"):
        log(prefix.format(clock(day), "evaluation.evaluator") + "Start inference on 100 batches")
        for batch in range(11, 100, 22):
            time.sleep(0.2)
            log(
                prefix.format(clock(day), "evaluation.evaluator")
                + f"Inference done {batch}/100. Dataloading: 0.0011 s/iter. Inference: 0.0090 "
                "s/iter. Eval: 0.0002 s/iter. Total: 0.0103 s/iter. ETA=0:00:00"
            )


def nanogpt() -> None:
    """nanoGPT's train.py: `iter 10: loss 3.1, time 50.1ms, mfu 1.0%`; the total is not printed."""
    say("tokens per iteration will be: 16,384")
    say("number of parameters: 10.65M")
    say("num decayed parameter tensors: 26, with 10,740,096 parameters")
    with truth.run_of_steps():
        for step in range(EPOCHS * STEPS):
            if step % 32 == 0:
                with truth.phase("evaluation", 0.3):
                    say(f"step {step}: train loss {loss(step):.4f}, val loss {loss(step):.4f}")
                    if step:
                        say("saving checkpoint to out-shakespeare-char")
            truth.step()
            if step % 4 == 0:
                say(f"iter {step}: loss {loss(step):.4f}, time {50.12:.2f}ms, mfu {1.25:.2f}%")


def megatron(done: int = 0) -> None:
    """Megatron-LM: ` iteration       8/      96 | consumed samples: ...`, a line each 8 steps."""
    steps = EPOCHS * STEPS
    say("training ...")
    say("[before the start of training step] datetime: 2026-11-28 10:00:00 ")
    with truth.run_of_steps():
        for step in range(done * STEPS + 1, steps + 1):
            truth.step()
            if step % 8 == 0:
                say(
                    f" [{clock('%Y-%m-%d %H:%M:%S.%f')}] iteration {step:8d}/{steps:8d} | "
                    f"consumed samples: {step * 8:12d} | elapsed time per iteration (ms): 51.2 | "
                    "learning rate: 1.500000E-04 | global batch size:     8 | "
                    f"lm loss: {loss(step):.6E} | loss scale: 1.0 | grad norm: 1.0 | "
                    "number of skipped iterations:   0 | number of nan iterations:   0 |"
                )
            if step % 48 == 0:
                with truth.phase("evaluation", 0.4):
                    text = f" validation loss at iteration {step} | lm loss value: 1.2 | "
                    say("-" * len(text))
                    say(text)
                    say("-" * len(text))
    with truth.phase("test", 0.5):
        say("Evaluating on 320 samples")
        say("Evaluating iter 1/10")


@contextmanager
def kohya_head(steps: int) -> Iterator[None]:
    """What sd-scripts prints before its bar, and after it."""
    say("running training / 学習開始")
    say("  num train images * repeats / 学習画像の数×繰り返し回数: 16")  # noqa: RUF001
    say("  num reg images / 正則化画像の数: 0")
    say(f"  num batches per epoch / 1epochのバッチ数: {STEPS}")
    say(f"  num epochs / epoch数: {EPOCHS}")
    say("  batch size per device / バッチサイズ: 1")
    say("  gradient accumulation steps / 勾配を合計するステップ数 = 1")
    say(f"  total optimization steps / 学習ステップ数: {steps}")
    yield
    with truth.phase("saving", 0.3):
        say("\nsaving checkpoint: /out/last.safetensors")
    log("INFO     model saved.                       train_network.py:1300")


def kohya(done: int = 0) -> None:
    """kohya-ss sd-scripts, train_network.py: `epoch 1/6` lines over one bar named steps."""
    steps = EPOCHS * STEPS
    with kohya_head(steps):
        bar = tqdm(range(steps - done * STEPS), smoothing=0, desc="steps")
        for epoch in range(done, EPOCHS):
            say(f"\nepoch {epoch + 1}/{EPOCHS}\n")
            log(f"INFO     epoch is incremented. current_epoch: {epoch}, epoch: {epoch + 1}")
            with truth.epoch(epoch + 1):
                for step in range(STEPS):
                    truth.step()
                    bar.update(1)
                    bar.set_postfix(avr_loss=loss(epoch * STEPS + step))
            if epoch % 2 == 1 and epoch + 1 < EPOCHS:
                with truth.phase("saving", 0.2):
                    say(f"\nsaving checkpoint: /out/last-{epoch + 1:06d}.safetensors")


def diffusers(done: int = 0) -> None:
    """diffusers' train_text_to_image.py: a bar named Steps over the run, from the resumed step."""
    steps = EPOCHS * STEPS
    head = clock("%m/%d/%Y %H:%M:%S") + " - INFO - __main__ - "
    log(head + "***** Running training *****")
    log(head + f"  Num examples = {STEPS}")
    log(head + f"  Num Epochs = {EPOCHS}")
    log(head + "  Instantaneous batch size per device = 1")
    log(head + f"  Total optimization steps = {steps}")
    if done:
        say(f"Resuming from checkpoint checkpoint-{done * STEPS}")
    bar = tqdm(range(steps), initial=done * STEPS, desc="Steps")
    for epoch in range(done, EPOCHS):
        with truth.epoch(epoch + 1):
            for step in range(STEPS):
                truth.step()
                bar.update(1)
                bar.set_postfix(step_loss=loss(epoch * STEPS + step), lr=1e-5)
        if epoch % 3 == 2:
            with truth.phase("validation"):
                log(head + "Running validation... ")
                for _ in tqdm(range(10)):
                    time.sleep(0.05)
    bar.close()


def swin() -> None:
    """Swin Transformer's main.py: `Train: [0/6][4/16]\\teta ...`, and `Test: [0/5]`."""
    head = "[{} swin_tiny] (main.py {}): INFO "
    day = "%Y-%m-%d %H:%M:%S"
    log(head.format(clock(day), 150) + "Start training")
    for epoch in range(EPOCHS):
        with truth.epoch(epoch + 1):
            for step in range(STEPS):
                truth.step()
                if step % 4 == 0:
                    log(
                        head.format(clock(day), 224)
                        + f"Train: [{epoch}/{EPOCHS}][{step}/{STEPS}]\teta 0:00:00 lr 0.000100\t "
                        f"wd 0.0500\ttime 0.0500 (0.0500)\tloss {loss(step):.4f} (6.9000)\t"
                        "grad_norm 1.0000 (1.0000)\tloss_scale 65536.0000 (65536.0000)\tmem 100MB"
                    )
            log(head.format(clock(day), 232) + f"EPOCH {epoch} training takes 0:00:00")
        with truth.phase("validation"):
            for batch in range(5):
                time.sleep(0.05)
                log(
                    head.format(clock(day), 270) + f"Test: [{batch}/5]\tTime 0.050 (0.050)\tLoss "
                    "2.1000 (2.1000)\tAcc@1 12.500 (12.500)\tAcc@5 50.000 (50.000)\tMem 100MB"
                )
            log(head.format(clock(day), 278) + " * Acc@1 12.500 Acc@5 50.000")
            log(head.format(clock(day), 170) + "Max accuracy: 12.50%")
    log(head.format(clock(day), 175) + "Training time 0:00:08")


def imagenet() -> None:
    """PyTorch's examples/imagenet: `Epoch: [0][ 5/16]\\tTime ...`, and `Test: [0/5]`."""
    say("=> creating model 'resnet18'")
    for epoch in range(EPOCHS):
        with truth.epoch(epoch + 1):
            for step in range(1, STEPS + 1):
                truth.step()
                if (step - 1) % 4 == 0:
                    say(
                        f"Epoch: [{epoch}][{step:2d}/{STEPS}]\tTime  0.050 ( 0.050)\tData  0.001 "
                        f"( 0.001)\tLoss {loss(step):.4e} (6.9e+00)\tAcc@1   0.00 (  0.00)\t"
                        "Acc@5  12.50 ( 12.50)"
                    )
        with truth.phase("validation"):
            for batch in range(1, 6):
                time.sleep(0.05)
                say(
                    f"Test: [{batch}/5]\tTime  0.050 ( 0.050)\tLoss 2.1e+00 (2.1e+00)\tAcc@1  "
                    "12.50 ( 12.50)\tAcc@5  50.00 ( 50.00)"
                )
            say(" *   Acc@1 12.500 Acc@5 50.000")


def mnist() -> None:
    """PyTorch's examples/mnist: `Train Epoch: 1 [0/1024 (0%)]\\tLoss: 2.3`."""
    size = 64 * STEPS
    for epoch in range(1, EPOCHS + 1):
        with truth.epoch(epoch):
            for step in range(STEPS):
                truth.step()
                if step % 4 == 0:
                    share = 100.0 * step / STEPS
                    value = loss(epoch * STEPS + step)
                    say(
                        f"Train Epoch: {epoch} [{step * 64}/{size} ({share:.0f}%)]\t"
                        f"Loss: {value:.6f}"
                    )
        with truth.phase("validation", 0.25):
            say("\nTest set: Average loss: 0.0514, Accuracy: 9835/10000 (98%)\n")


VARIANTS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        *(timm, torchvision, detectron2, nanogpt, megatron, kohya, diffusers),
        *(swin, imagenet, mnist),
    )
}
WITHOUT_EPOCHS = {"detectron2", "nanogpt", "megatron"}

if __name__ == "__main__":
    name, _, resumed = sys.argv[1].partition("_")
    before = EPOCHS // 3 if resumed else 0
    truth.plan(*((None, EPOCHS * STEPS) if name in WITHOUT_EPOCHS else (EPOCHS, STEPS)), before)
    time.sleep(0.5)
    VARIANTS[name](*([before] if resumed else []))
