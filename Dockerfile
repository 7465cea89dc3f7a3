# One image for the code server, the webserver, the daemon and the command line.
FROM python:3.13-slim

# The two DAGSTER_ variables turn an event per asset and day into batches: minutes into seconds.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_EVENT_BATCH_SIZE=1000 \
    DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS=true \
    DAGSTER_HOME=/var/lib/dagster \
    PREDTRACK_HOME=/var/lib/predtrack

RUN useradd --system --uid 10001 --home-dir /var/lib/predtrack --shell /usr/sbin/nologin predtrack \
    && install -d -o predtrack -g predtrack "$DAGSTER_HOME" "$DAGSTER_HOME/storage" "$PREDTRACK_HOME"

WORKDIR /app

# Dependencies first, so that a change of code does not install them again. The lock also holds
# the sample: as a constraint it fixes versions and adds nothing.
COPY setup.py requirements.lock ./
RUN mkdir predtrack_assets && touch predtrack_assets/__init__.py \
    && pip install --no-cache-dir --constraint requirements.lock --editable .

COPY predtrack_assets predtrack_assets
COPY sql sql
COPY dagster.yaml /var/lib/dagster/dagster.yaml
RUN python -m compileall -q predtrack_assets

USER predtrack

EXPOSE 4000
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
CMD ["dagster", "api", "grpc", "--host", "0.0.0.0", "--port", "4000", \
     "--module-name", "predtrack_assets.definitions", "--location-name", "predtrack"]
