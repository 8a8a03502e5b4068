"""Results as report documents, one file per verb; the backends draw them for their medium."""

import importlib
from collections.abc import Callable

from ...result import Result
from .model import Document

# By the class's name, which stands once in the package: the file here and its function. Loaded
# when first asked for.
_DOCUMENTS = {
    "CarbonReport": ("carbon", "carbon_document"),
    "Comparison": ("compare", "comparison_document"),
    "Correlations": ("compare", "correlations_document"),
    "Interaction": ("compare", "interaction_document"),
    "Checkup": ("doctor", "doctor_document"),
    "Findings": ("study", "findings_document"),
    "JobForecasts": ("forecast", "forecast_document"),
    "LifetimeEnergy": ("lifetime", "lifetime_document"),
    "MachineCalibration": ("calibration", "calibration_document"),
    "OnlineEvaluation": ("evaluate", "online_document"),
    "RunList": ("runs", "runs_document"),
    "RunReport": ("run", "report_document"),
    "StaticEvaluation": ("evaluate", "static_document"),
    "Study": ("study", "plan_document"),
    "StudyList": ("study_status", "list_document"),
    "StudyResults": ("study", "results_document"),
    "StudyRun": ("study_status", "run_document"),
    "StudyStatus": ("study_status", "status_document"),
    "Summary": ("run", "summary_document"),
    "Tradeoff": ("tradeoff", "tradeoff_document"),
    "TradeoffGroups": ("tradeoff", "tradeoff_groups_document"),
    "TrialLog": ("study_status", "trial_document"),
    "Workload": ("workload", "workload_document"),
}


def document_of(result: Result) -> Document:
    """The report document of a result."""
    file, name = _DOCUMENTS[type(result).__name__]
    module = importlib.import_module(f"{__name__}.{file}")
    build: Callable[[Result], Document] = getattr(module, name)
    return build(result)
