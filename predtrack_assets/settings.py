"""Every setting of PredTrack, in one place, validated.

Each field is read from the environment as PREDTRACK_<NAME>; nothing else in the package reads
the environment. `get_settings()` is cheap and is called where a value is needed, so tests and
the command line can change the environment before it.
"""

from __future__ import annotations

import os
import re
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

SourceName = Literal["yahoo", "sample", "file", "simulated"]
CommaList = NoDecode  # PREDTRACK_HORIZONS=1,5,21 rather than a JSON list


class Settings(BaseSettings):
    """Validated settings; see each field's description. Raises pydantic.ValidationError."""

    model_config = SettingsConfigDict(
        env_prefix="PREDTRACK_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(
        PROJECT_ROOT / ".predtrack", description="Where state lives: embedded server, Dagster home."
    )
    sql_dir: Path = Field(PROJECT_ROOT / "sql", description="The numbered migrations.")

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PREDTRACK_DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL 15+ (TimescaleDB welcome). Unset: the embedded server.",
    )
    dagster_url: SecretStr | None = Field(
        None, description="Dagster's own storage. Unset: database <name>_dagster beside ours."
    )

    source: SourceName = Field("yahoo", description="Where bars come from.")
    file: Path | None = Field(None, description="Price file for source 'file' (Parquet or CSV).")
    file_symbol: str | None = Field(
        None, description="Symbol of a price file of one symbol, which has no column for it."
    )
    file_prices: Literal["split_adjusted", "as_traded"] = Field(
        "split_adjusted", description="What OHLC in the price file mean."
    )
    universe: str = Field("SPX500", description="Universe that source 'yahoo' fetches.")
    benchmark: str = Field("^GSPC", description="Symbol that market_conditions describes.")
    vix: str = Field("^VIX", description="Implied-volatility index; absent: realised volatility.")

    first_day: date = Field(date(2000, 1, 3), description="First trading-day partition.")
    last_day: date | None = Field(
        None,
        description="Last trading-day partition. Unset: the last of the sample where that is the"
        " source, else every complete day.",
    )
    exchanges: Annotated[tuple[str, ...], CommaList] = Field(
        ("XNYS",), description="A trading day is one on which any of these has a session."
    )

    default_exchange: str | None = Field(
        None,
        description="Calendar of symbols whose names do not tell their exchange. Unset: refused.",
    )

    refetch_sessions: int = Field(7, ge=1, description="Recent sessions a vendor may still revise.")
    max_failed_share: float = Field(
        0.2, ge=0, le=1, description="A run in which more symbols fail to fetch is a failed run."
    )
    max_jump: float = Field(
        0.5, gt=0, description="abs(log return) beyond which an unexplained bar is 'suspect'."
    )
    requests_per_second: float = Field(2.0, gt=0, description="Rate limit toward Yahoo.")
    fetch_workers: int = Field(4, ge=1, le=32, description="Concurrent requests toward Yahoo.")
    fetch_attempts: int = Field(3, ge=1, description="Attempts per symbol before giving up.")
    fetch_timeout: float = Field(20.0, gt=0, description="Seconds before a request is given up.")

    simulated_symbols: int = Field(50, ge=1, description="Symbols of source 'simulated'.")
    simulated_seed: int = Field(7, description="Seed of source 'simulated'.")

    horizons: Annotated[tuple[int, ...], CommaList] = Field(
        (1, 5, 21), description="Forecast horizons in sessions."
    )
    predict_baselines: bool = Field(
        False,
        description="Also store no_change, drift and climatology as predictions. Outcomes have the"
        " baselines' scores in any case. On in the demo, which shows that gates refuse them.",
    )
    expire_after: int = Field(
        5, ge=1, description="Sessions after which a due prediction without a price has expired."
    )

    artifacts: str | None = Field(
        None,
        description="Where fitted models are kept: a directory or s3://. Unset: home/artifacts.",
    )
    min_training_sessions: int = Field(
        500, ge=30, description="Sessions with features before a model is fitted at all."
    )
    mlflow_uri: str | None = Field(
        None, description="MLflow server that fits are also reported to (extra `mlflow`)."
    )

    accuracy_threshold: float = Field(
        0.65, ge=0, le=1, description="Gate: the lower bound of the accuracy must exceed it."
    )
    market_outperformance_threshold: float = Field(
        0.03, ge=-1, le=10, description="Gate: growth a year above the benchmark, as a fraction."
    )
    sharpe_ratio_min: float = Field(1.0, ge=0, le=10, description="Gate: annual Sharpe ratio.")
    max_drawdown_limit: float = Field(
        0.15, gt=0, le=1, description="Gate: loss from a peak within 252 sessions, as a fraction."
    )
    calibration_error_limit: float = Field(
        0.10, gt=0, le=1, description="Gate: the upper bound of the RMS calibration error."
    )
    gate_min_effective: float = Field(
        100.0, ge=10, description="Gate: effective sample size below which a rate is not judged."
    )
    gate_min_sessions: int = Field(
        252, ge=252, description="Gate: sessions below which a strategy is not judged."
    )
    gate_level: float = Field(
        0.95, ge=0.5, lt=1, description="Gate: level of every one-sided bound, at a single look."
    )
    risk_free_rate: float = Field(
        0.0, ge=-0.1, le=1, description="Gate: return a year above which the Sharpe ratio counts."
    )
    retraining_threshold: float = Field(
        0.50, gt=0, lt=1, description="Accuracy below which a symbol's model is to be retrained."
    )
    retraining_level: float = Field(
        0.95, ge=0.5, lt=1, description="Probability of being below that calls for retraining."
    )
    retraining_min_effective: float = Field(
        20.0, ge=1, description="Effective sample size below which no symbol is retrained."
    )
    retraining_fdr: float = Field(
        0.10, gt=0, lt=1, description="False discovery rate over the symbols of a report."
    )
    gate_horizons: Annotated[tuple[int, ...], CommaList] = Field(
        (), description="Horizons that are gated, each with a champion. Empty: the middle one."
    )
    auto_deploy: bool = Field(
        True, description="Deploy by itself what passed its gate and beat the champion."
    )
    evidence: Literal["all", "live"] = Field(
        "all", description="What gates and A/B tests count: all, or live predictions only."
    )

    tuning_configurations: int = Field(
        4, ge=1, le=100, description="Configurations that each weekly optimization task tries."
    )
    tuning_seconds: float = Field(
        3600.0, gt=0, description="No further optimization task is begun after so long in a run."
    )
    tuning_attempts: int = Field(
        4, ge=1, le=20, description="Failures after which an optimization task is given up."
    )
    tuning_register: bool = Field(
        False, description="Register accepted proposals as a new version in shadow."
    )

    strategies: Annotated[tuple[str, ...], CommaList] = Field(
        ("buy_and_hold", "equal_weight", "momentum_hrp", "machine_learning"),
        description="Strategies whose paper books are run; see `predtrack strategies list`.",
    )

    rate_requests: int = Field(200, ge=1, description="API: requests a second of one key.")
    rate_rows: int = Field(1_000_000, ge=1, description="API: rows a minute that one key may post.")
    cors_origins: Annotated[tuple[str, ...], CommaList] = Field(
        (), description="API: origins (https://host) whose pages may call it, each by its name."
    )

    drop: str | None = Field(
        None, description="Folder of prediction files that drop_sensor takes: a directory or s3://."
    )

    webhook_url: SecretStr | None = Field(
        None, description="Where improvement events are POSTed to. Unset: they are logged."
    )

    alert_urls: SecretStr | None = Field(
        None,
        description="Where alerts go, by commas: slack://, discord://, mailto(s)://, json(s)://"
        " addresses as apprise has them. Unset: they are logged.",
    )
    alert_rules: Path | None = Field(
        None, description="TOML file of alert rules. Unset: the ones that ship."
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="Of the API's process: json is a line an event, requests included."
    )

    dashboard_access: Literal["local", "key"] = Field(
        "local",
        description="Who sees the dashboard without a key: browsers on this machine, or nobody."
        " Behind a proxy on this machine: key.",
    )

    retraining_cap: int = Field(
        5, ge=1, le=100, description="Symbols' retrainings that may be asked for and unfinished."
    )
    retraining_cool_down: int = Field(
        21, ge=0, description="Sessions after a symbol's own fit in which it is not fitted again."
    )
    drift_current_sessions: int = Field(
        21, ge=5, le=126, description="Drift: the latest sessions, compared with those before."
    )
    drift_reference_sessions: int = Field(
        756, ge=63, le=2520, description="Drift: sessions before those, or as many as there are."
    )
    drift_block_sessions: int = Field(
        21, ge=1, le=126, description="Drift: sessions that stay together in the null distribution."
    )
    drift_level: float = Field(
        0.10, gt=0, lt=0.5, description="Drift: false discovery rate across features, a report."
    )
    drift_span_sessions: int = Field(
        252, ge=63, description="Degradation: sessions that are held to as many before them."
    )
    drift_margin: float = Field(
        0.01, ge=0, le=1, description="Degradation: relative loss difference that is tolerated."
    )

    schedules: Annotated[tuple[str, ...], CommaList] = Field(
        (), description="Allow-list: names of the schedules and sensors that start running."
    )

    catch_up_days: int = Field(
        30, ge=0, le=366, description="How many calendar days back schedules look for missed days."
    )
    docs_url: str | None = Field(
        None,
        pattern="^https?://",
        description="Address that serves docs/, for links in the Dagster UI. Unset: paths of files.",
    )

    @property
    def artifact_store(self) -> str:
        """Where fitted models are kept."""
        return self.artifacts or str(self.home / "artifacts")

    @field_validator("horizons", "gate_horizons", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        if isinstance(value, list) and not all(str(v).isdigit() for v in value):
            raise ValueError("horizons are whole numbers of sessions, like 1,5,21")
        return value

    @field_validator(
        "exchanges",
        "horizons",
        "gate_horizons",
        "schedules",
        "strategies",
        "cors_origins",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return (
            [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value
        )

    @field_validator("home", "sql_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("file", "alert_rules")
    @classmethod
    def _absolute_file(cls, value: Path | None) -> Path | None:
        return Path(os.path.abspath(value.expanduser())) if value else value  # a link may be a loop

    @field_validator("horizons")
    @classmethod
    def _positive_and_sorted(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1 or max(value) > 252:
            raise ValueError("horizons are counts of sessions between 1 and 252")
        return tuple(sorted(set(value)))

    @field_validator("gate_horizons")
    @classmethod
    def _predicted(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        horizons = info.data.get("horizons", value)
        if not set(value) <= set(horizons):
            raise ValueError(f"only horizons that are predicted can be gated: {horizons}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _named_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?", origin):
                raise ValueError(f"{origin!r} is no origin like https://host: * is not taken")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return value or None

    @property
    def gated_horizons(self) -> tuple[int, ...]:
        """Horizons whose models are gated: those of gate_horizons, else the middle one of all."""
        chosen = self.gate_horizons or (self.horizons[len(self.horizons) // 2],)
        return tuple(sorted(set(chosen) & set(self.horizons)))


def get_settings() -> Settings:
    """The settings in force: environment over defaults. The same object while that is the same."""
    read = (item for item in os.environ.items() if item[0].upper().startswith(READ))
    return _settings_of(tuple(read))


@lru_cache(maxsize=4)
def _settings_of(_environment: tuple[tuple[str, str], ...]) -> Settings:
    return Settings()


PREFIX = "PREDTRACK_"
READ = (PREFIX, "DATABASE_URL")
ELSEWHERE = {"DB_PASSWORD", "KEY", "PORT", "REFERENCE_DATA", "TEST_DATABASE_URL"}
"""Names that compose.yaml, the client and the tests read."""


def unknown_settings() -> dict[str, str | None]:
    """Variables PREDTRACK_* that set nothing, each with the name that it may be meant for."""
    known = sorted({name.upper() for name in Settings.model_fields} | ELSEWHERE)
    given = [name for name in sorted(os.environ) if name.upper().startswith(PREFIX)]
    unknown = {name: name.upper().removeprefix(PREFIX) for name in given}
    return {
        name: PREFIX + nearest[0] if (nearest := get_close_matches(rest, known, n=1)) else None
        for name, rest in unknown.items()
        if rest not in known
    }
