"""The report of `joulecast calibrate`: a machine's constants, and its power at the wall."""

from ...calibration.calibrate import MachineCalibration
from ...calibration.stored_constants import CONSTANTS, DeviceCalibration
from ...units import format_duration, format_quantity
from ...wall.wall_energy import WallFit
from ..words.common import domains_text, when
from .model import Block, Column, Document, Line, ReportTable, Section, Styled, figures, notes

# The input pipeline's rate is shown for images of this size.
_IMAGE_BYTES = 3 * 224 * 224 * 4


def calibration_document(calibration: MachineCalibration) -> Document:
    """Each device's constants, then how power at the wall follows the meters."""
    head: list[Block] = []
    if calibration.forgotten is not None:
        number = calibration.forgotten
        head.append(f"{number} calibration{'' if number == 1 else 's'} forgotten")
    elif not calibration.devices and not calibration.wall:
        head.append("This machine is not calibrated yet: run joulecast calibrate.")
    machine = next((device.machine for device in calibration.devices if device.machine), None)
    if machine:
        head.append(Styled(machine, "strong"))
    sections = [section for device in calibration.devices for section in _device(device)]
    sections += [_wall(fit) for fit in calibration.wall]
    sections += notes("Warnings", calibration.warnings, "!", "warning")
    return Document(head, sections)


def _device(device: DeviceCalibration) -> list[Section]:
    facts = [f"torch {device.versions['torch']}"] if "torch" in device.versions else []
    facts.append(f"took {format_duration(device.seconds)}")
    if device.made_at is not None:
        facts.append(when(device.made_at))
    if device.power_provenance is not None:
        facts.append(f"power {device.power_provenance}")
    rows = [_row(name, device) for name in CONSTANTS if name in device.values]
    if device.input_s is not None:
        rows.append(_input_row(device.input_s))
    columns = [
        Column("constant"),
        *figures("value", "spread"),
        Column("meaning", fit="fold", style="dim"),
    ]
    warnings = list(device.notes)
    if device.outdated:
        warnings.append("an older version measured these: run joulecast calibrate again")
    return [
        Section(
            f"{device.device}: {device.name}",
            [Styled(", ".join(facts), "dim"), ReportTable(columns, rows)],
        ),
        *notes("Notes", warnings, "!", "warning"),
    ]


def _row(name: str, device: DeviceCalibration) -> list[Line]:
    kind, value, spread = CONSTANTS[name], device.values[name], device.spreads.get(name)
    if value is None:
        reason = device.reasons.get(name, "not measured")
        return [name, Styled("unknown", "warning"), "", f"{kind.meaning}: {reason}"]
    shown = format_quantity(value, kind.unit) if kind.unit else f"x {value:.3g}"
    return [name, shown, "" if spread is None else f"± {100 * spread:.0f} %", kind.meaning]


def _input_row(input_s: tuple[float, float]) -> list[Line]:
    seconds = input_s[0] + input_s[1] * _IMAGE_BYTES
    rate = f"{1 / seconds:,.0f}/s" if seconds > 0 else "unknown"
    return ["input", rate, "", "images of 3x224x224 that the host's input pipeline delivers"]


def _wall(fit: WallFit) -> Section:
    facts = [fit.origin, f"{fit.bins} means of {format_duration(fit.bin_s)}"]
    if fit.made_at is not None:
        facts.append(when(fit.made_at))
    low, high = fit.metered_w
    quality = (
        f"r = {fit.r:.3f}, RMSE {fit.rmse_w:.1f} W, for {low:.0f} to {high:.0f} W metered by "
        f"{domains_text(list(fit.domains))}"
    )
    blocks: list[Block] = [
        Styled(", ".join(facts), "dim"),
        Styled(
            f"wall = ({fit.slope:.3f} ± {fit.slope_error:.3f}) x metered + "
            f"({fit.offset_w:.1f} ± {fit.offset_error_w:.1f} W)",
            "strong",
        ),
        quality,
    ]
    if fit.lag_s:
        blocks.append(
            Styled(f"the readings came {fit.lag_s:.1f} s late, which is corrected", "dim")
        )
    return Section(f"Power at the wall, for runs with scope {fit.scope}", blocks)
