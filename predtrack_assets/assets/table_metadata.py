"""What the UI shows of the table behind an asset: columns, name and its page in the documentation."""

from __future__ import annotations

import dagster as dg

from predtrack_assets.settings import PROJECT_ROOT, get_settings
from predtrack_assets.warehouse.records import Column, Record, records


def with_record(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with the record of its table as metadata; an asset without a table is left as it is."""
    record = records().get(".".join(spec.key.path))
    if record is None:
        return spec
    return spec.merge_attributes(
        metadata={
            "dagster/column_schema": column_schema(record),
            "dagster/table_name": str(record),
            "docs": docs_link(record),
        }
    )


def column_schema(record: Record) -> dg.TableSchema:
    """Columns with types, meaning and constraints; the checks of the table beneath."""
    columns = [_column(column, column.name in record.key) for column in record.columns]
    rules = [f"{name}: {text}" for name, text in record.checks.items()]
    return dg.TableSchema(columns, dg.TableConstraints(rules))


def docs_link(record: Record) -> dg.UrlMetadataValue | dg.PathMetadataValue:
    """The table's section where PREDTRACK_DOCS_URL serves the documentation, else the page's file."""
    page = f"reference/schema/{record.schema}.md"
    served = get_settings().docs_url
    if served is None:
        return dg.MetadataValue.path(str(PROJECT_ROOT / "docs" / page))
    return dg.MetadataValue.url(f"{served.rstrip('/')}/{page}#{record.schema}{record.name}")


def _column(column: Column, in_key: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(
        nullable=column.nullable, other=["primary key"] if in_key else None
    )
    return dg.TableColumn(column.name, column.type, column.description or None, constraints)
