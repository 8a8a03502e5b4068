"""The energy of training and serving neural networks: measured and forecast, with intervals.

    import joulecast

    with joulecast.record("digits", epochs=30) as run:
        for epoch in run.epochs():
            ...
            run.log(accuracy=0.9)

Measure: `record`, `doctor`. Inspect: `runs`, `show`, `report`, `carbon`. Forecast: `forecast`,
`analyze`, `calibrate`, `evaluate`. Compare: `compare`, `tradeoff`, `run_study`, `findings`.
Results print as the verb of that name does, and have `to_json()`.

All names are loaded when first used, so that importing joulecast costs a training nothing.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .result import Medium, Result, render_with

if TYPE_CHECKING:
    from .analysis.carbon.carbon import CarbonReport, carbon
    from .analysis.statistics.compare import compare
    from .analysis.statistics.correlation import Correlations, correlate
    from .analysis.statistics.group_comparison import Comparison
    from .analysis.statistics.interaction import Interaction
    from .analysis.tradeoff.lifetime import LifetimeEnergy
    from .analysis.tradeoff.tradeoff import TradeoffGroups, tradeoff
    from .analysis.tradeoff.weigh import Tradeoff
    from .calibration.calibrate import (
        MachineCalibration,
        calibrate,
        calibrate_wall,
        forget_calibration,
        stored_calibration,
    )
    from .errors import BudgetExceeded, JoulecastError
    from .estimate import Estimate, Provenance
    from .forecasting.physical.job import JobForecast, JobForecasts
    from .forecasting.scoring.accuracy import OnlineEvaluation, StaticEvaluation
    from .forecasting.scoring.api import evaluate
    from .hardware.environment import Environment
    from .ledger import Ledger, RunList, RunRow, open_ledger
    from .ledger.study_model import Conditions, Study
    from .ledger.transfer import export_run, import_runs
    from .recording.model import Recording
    from .recording.summary import Summary, summarize
    from .reports.paper.folder import write_paper
    from .reports.write import report
    from .run.budget import Budget, BudgetStatus
    from .run.checkup import Checkup
    from .run.doctor import doctor
    from .run.forecast import forecast
    from .run.record import record
    from .run.run_state import RunState
    from .run.runs import runs
    from .run.show import RunReport, show
    from .run.training import Run
    from .study.api import findings, list_studies, run_study, study_results, study_status
    from .study.findings.findings import Findings
    from .study.plan import read_study
    from .study.results import StudyResults
    from .workload.analysis import analyze
    from .workload.model import Workload

_HOMES = {
    "Budget": ".run.budget",
    "BudgetExceeded": ".errors",
    "BudgetStatus": ".run.budget",
    "CarbonReport": ".analysis.carbon.carbon",
    "Checkup": ".run.checkup",
    "Comparison": ".analysis.statistics.group_comparison",
    "Conditions": ".ledger.study_model",
    "Correlations": ".analysis.statistics.correlation",
    "Environment": ".hardware.environment",
    "Estimate": ".estimate",
    "Findings": ".study.findings.findings",
    "Interaction": ".analysis.statistics.interaction",
    "JobForecast": ".forecasting.physical.job",
    "JobForecasts": ".forecasting.physical.job",
    "JoulecastError": ".errors",
    "Ledger": ".ledger",
    "LifetimeEnergy": ".analysis.tradeoff.lifetime",
    "MachineCalibration": ".calibration.calibrate",
    "OnlineEvaluation": ".forecasting.scoring.accuracy",
    "Provenance": ".estimate",
    "Recording": ".recording.model",
    "Run": ".run.training",
    "RunList": ".ledger",
    "RunReport": ".run.show",
    "RunRow": ".ledger",
    "RunState": ".run.run_state",
    "StaticEvaluation": ".forecasting.scoring.accuracy",
    "Study": ".ledger.study_model",
    "StudyResults": ".study.results",
    "Summary": ".recording.summary",
    "Tradeoff": ".analysis.tradeoff.weigh",
    "TradeoffGroups": ".analysis.tradeoff.tradeoff",
    "Workload": ".workload.model",
    "analyze": ".workload.analysis",
    "calibrate": ".calibration.calibrate",
    "calibrate_wall": ".calibration.calibrate",
    "carbon": ".analysis.carbon.carbon",
    "compare": ".analysis.statistics.compare",
    "correlate": ".analysis.statistics.correlation",
    "doctor": ".run.doctor",
    "evaluate": ".forecasting.scoring.api",
    "export_run": ".ledger.transfer",
    "findings": ".study.api",
    "forecast": ".run.forecast",
    "forget_calibration": ".calibration.calibrate",
    "import_runs": ".ledger.transfer",
    "list_studies": ".study.api",
    "open_ledger": ".ledger",
    "read_study": ".study.plan",
    "record": ".run.record",
    "report": ".reports.write",
    "run_study": ".study.api",
    "runs": ".run.runs",
    "show": ".run.show",
    "stored_calibration": ".calibration.calibrate",
    "study_results": ".study.api",
    "study_status": ".study.api",
    "summarize": ".recording.summary",
    "tradeoff": ".analysis.tradeoff.tradeoff",
    "write_paper": ".reports.paper.folder",
}

__all__ = [
    "Budget",
    "BudgetExceeded",
    "BudgetStatus",
    "CarbonReport",
    "Checkup",
    "Comparison",
    "Conditions",
    "Correlations",
    "Environment",
    "Estimate",
    "Findings",
    "Interaction",
    "JobForecast",
    "JobForecasts",
    "JoulecastError",
    "Ledger",
    "LifetimeEnergy",
    "MachineCalibration",
    "OnlineEvaluation",
    "Provenance",
    "Recording",
    "Run",
    "RunList",
    "RunReport",
    "RunRow",
    "RunState",
    "StaticEvaluation",
    "Study",
    "StudyResults",
    "Summary",
    "Tradeoff",
    "TradeoffGroups",
    "Workload",
    "__version__",
    "analyze",
    "calibrate",
    "calibrate_wall",
    "carbon",
    "compare",
    "correlate",
    "doctor",
    "evaluate",
    "export_run",
    "findings",
    "forecast",
    "forget_calibration",
    "import_runs",
    "list_studies",
    "open_ledger",
    "read_study",
    "record",
    "report",
    "run_study",
    "runs",
    "show",
    "stored_calibration",
    "study_results",
    "study_status",
    "summarize",
    "tradeoff",
    "write_paper",
]


def _render(result: Result, medium: Medium) -> str:
    from .reports.rendering import render

    return render(result, medium)


render_with(_render)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
