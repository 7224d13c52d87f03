"""What tables of the store are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem

METADATA = MetaData()


def number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def word(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def gw() -> Column[int]:
    return Column("gw", Integer, ForeignKey("gateway.gw"), primary_key=True, autoincrement=False)


def table(name: str, *parts: SchemaItem) -> Table:
    """A table clustered by its primary key where the database can."""
    return Table(name, METADATA, gw(), *parts, sqlite_with_rowid=False)
