"""Milvus Lite's service, with reads and writes by the column instead of by the row.

Milvus Lite (3.2) goes through the whole collection in Python for each query, page and search,
whatever was asked for. Here the live rows of a collection are kept with what was found out about
them, and a request of the kind that a dataset has is answered from there. Everything else is left
to Milvus Lite, and so is everything in versions whose insides may differ. Only the process that
serves Milvus Lite imports this module.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from threading import RLock
from typing import Any

import grpc
import numpy as np
from milvus_lite import __version__
from milvus_lite.adapter.grpc.errors import success_status_kwargs
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.adapter.grpc.translators.search import parse_search_request
from milvus_lite.exceptions import MilvusLiteError
from numpy.typing import NDArray
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc

from corpuscope.tools.lite.answers import (
    COUNT,
    can_answer,
    count_answer,
    query_answer,
    search_answer,
)
from corpuscope.tools.lite.conditions import LIST, parse_conditions, without_lists
from corpuscope.tools.lite.insert import upsert_columns, use_column_tables
from corpuscope.tools.lite.live import LiveRows, live_rows
from corpuscope.tools.lite.nearest import nearest_rows
from corpuscope.tools.lite.words import Saturation, best_by_words

# The cursor that pymilvus puts before the filter of a scan, and our own scan before that.
CURSOR = re.compile(r'id > "([^"\\]*)"(?: and \((.*)\))?', re.DOTALL)

KNOWN_VERSIONS = "3.2."
"""The versions of Milvus Lite whose insides this wing was written for."""

READS = ("/Query", "/Search")
EXACT_INDEXES = {"FLAT", "BRUTE_FORCE"}

# What `parse_search_request` gives for a search that asks for nothing beside the nearest.
PLAIN_SEARCH: dict[str, Any] = {
    "partition_names": None,
    "group_by_field": None,
    "radius": None,
    "range_filter": None,
    "offset": 0,
    "round_decimal": -1,
    "ranker": None,
    "rerank": None,
    "function_chains": [],
    "has_function_score": False,
    "order_by_fields": None,
}


class LiteServicer(MilvusServicer):  # type: ignore[misc]  # milvus_lite has no types
    """Milvus Lite's service, with reads and writes of its own."""

    def __init__(self, database: Any) -> None:
        super().__init__(database)
        self._rows: dict[str, LiveRows] = {}
        self._locks: dict[str, RLock] = {}
        self._scan: tuple[LiveRows, str, NDArray[np.int64], list[str]] | None = None
        """What is scanned now, by which filter, with the places and ids of the rows in order."""

    def Query(self, request: Any, context: Any) -> Any:
        """Answer from the live rows, or as Milvus Lite does where it is of another kind."""
        names = _asked_for(request)
        if _is_known() and names is not None:
            try:
                collection = self._get_collection(request, context)
                if can_answer(collection, names if names != [COUNT] else []):
                    return self._query(collection, request, names)
            except MilvusLiteError:
                pass  # The call below answers it, as an error of Milvus Lite's own.
        request.expr = without_lists(request.expr)
        return super().Query(request, context)

    def Search(self, request: Any, context: Any) -> Any:
        """Answer from the live rows, or as Milvus Lite does where it is of another kind."""
        if _is_known():
            try:
                collection = self._get_collection(request, context)
                if request.output_fields and can_answer(collection, request.output_fields):
                    answer = self._search(collection, request, lambda: _check_wanted(context))
                    if answer is not None:
                        return answer
            except MilvusLiteError:
                pass  # The call below answers it, as an error of Milvus Lite's own.
        request.dsl = without_lists(request.dsl)
        return super().Search(request, context)

    def Upsert(self, request: Any, context: Any) -> Any:
        """Write a batch by the column, or as Milvus Lite does where it is of another kind."""
        if _is_known():
            try:
                collection = self._get_collection(request, context)
                ids = upsert_columns(collection, request)
                if ids is not None:
                    return milvus_pb2.MutationResult(
                        status=common_pb2.Status(**success_status_kwargs()),
                        IDs=self._build_ids_proto(ids, collection),
                        upsert_cnt=len(ids),
                        succ_index=range(len(ids)),
                    )
            except (MilvusLiteError, OSError, MemoryError, ValueError):
                pass  # The call below does the same again, and answers as Milvus Lite does.
        return super().Upsert(request, context)

    def DropCollection(self, request: Any, context: Any) -> Any:
        """Drop it, and what is kept of its rows."""
        answer = super().DropCollection(request, context)
        self._scan = None
        for folder, rows in list(self._rows.items()):
            if rows.collection == request.collection_name:
                self._rows.pop(folder, None)
        return answer

    def _live(self, collection: Any) -> LiveRows:
        """The live rows of a collection as they are now."""
        folder = str(collection.data_dir)
        with self._locks.setdefault(folder, RLock()):
            rows = self._rows[folder] = live_rows(collection, self._rows.get(folder))
            return rows

    def _query(self, collection: Any, request: Any, names: list[str]) -> Any:
        if names != [COUNT] or request.expr:  # Milvus Lite counts also what is not loaded
            collection._require_loaded()
        parameters = _parameters(request)
        skipped = int(parameters.get("offset", 0))
        limit = int(parameters["limit"]) if "limit" in parameters else None
        rows = self._live(collection)
        if "iterator" in parameters:
            after, expression = _split_cursor(request.expr)
            places, ids = self._in_order(collection, rows, expression)
            skipped += bisect_right(ids, after)
            if skipped >= len(ids):
                self._scan = None  # The scan is over: let the rows go.
        elif (listed := _listed_ids(request.expr)) is not None and names != [COUNT]:
            return query_answer(collection, rows, rows.places_of(listed), names)
        else:
            fitting = rows.fitting(request.expr, collection._compile_filter)
            if names == [COUNT]:
                return count_answer(collection, int(fitting.sum()))
            places = np.flatnonzero(fitting)
        end = None if limit is None else skipped + limit
        return query_answer(collection, rows, places[skipped:end], names)

    def _in_order(
        self, collection: Any, rows: LiveRows, expression: str
    ) -> tuple[NDArray[np.int64], list[str]]:
        """The places of the rows that fit, in the order of their ids, and the ids."""
        scan = self._scan
        if scan is not None and scan[:2] == (rows, expression):
            return scan[2:]
        ids, places = rows.in_order()
        if expression:
            fits = rows.fitting(expression, collection._compile_filter)[places]
            places = places[fits]
            ids = [record for record, fit in zip(ids, fits.tolist(), strict=True) if fit]
        self._scan = (rows, expression, places, ids)
        return places, ids

    def _search(self, collection: Any, request: Any, check: Callable[[], None]) -> Any | None:
        """The answer to a search; None where Milvus Lite has to give it."""
        collection._require_loaded()
        asked = parse_search_request(request)
        field = collection._resolve_anns_field(asked["anns_field"])
        metric = collection.resolve_search_metric(field, asked["metric_type"])
        if any(asked[name] != usual for name, usual in PLAIN_SEARCH.items()):
            return None
        limit, queries = asked["top_k"], asked["query_vectors"]
        index = collection._index_specs.get(field)
        parameters = dict(index.build_params) if index else {}
        if metric == "BM25" and field == "words" and not asked["search_params"]:
            words = collection._prepare_sparse_queries(queries, field)
            saturation = Saturation(
                float(parameters.get("bm25_k1", 1.5)), float(parameters.get("bm25_b", 0.75))
            )
            rows = self._live(collection)
            fitting = rows.fitting(asked["expr"] or "", collection._compile_filter)
            found = [best_by_words(rows, each, fitting, limit, saturation) for each in words]
            # Milvus Lite gives BM25 as a negative distance.
            found = [(places, -scores) for places, scores in found]
        elif metric == "COSINE" and (index is None or index.index_type in EXACT_INDEXES):
            if {len(query) for query in queries} != {_dim(collection, field)}:
                return None
            rows = self._live(collection)
            fitting = rows.fitting(asked["expr"] or "", collection._compile_filter)
            vectors = np.asarray(queries, np.float32)
            found = list(nearest_rows(rows, vectors, fitting, limit, check))
        else:
            return None
        return search_answer(collection, rows, found, list(request.output_fields), limit)


class DropsForgotten(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Drops reads whose client went away while they waited for a thread; a write is finished."""

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler of a request, which looks first whether anybody still wants the answer."""
        handler = continuation(details)
        if handler is None or not details.method.endswith(READS):
            return handler

        def answer(request: Any, context: Any) -> Any:
            _check_wanted(context)
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )


def add_servicer(server: Any, database: Any) -> None:
    """Let a gRPC server serve a Milvus Lite database."""
    if _is_known():
        use_column_tables()
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(LiteServicer(database), server)


def _is_known() -> bool:
    return bool(__version__.startswith(KNOWN_VERSIONS))


def _parameters(request: Any) -> dict[str, str]:
    return {pair.key: pair.value for pair in request.query_params}


def _asked_for(request: Any) -> list[str] | None:
    """The columns that a query asks for; None where it is of a kind that Milvus Lite answers."""
    names = list(request.output_fields)
    if request.partition_names:
        return None
    if not names and "iterator" in (parameters := _parameters(request)):
        # pymilvus begins a scan with a query for one row, of which it reads but the time.
        return ["id"] if parameters.get("limit") == "1" else None
    return names or None


def _check_wanted(context: Any) -> None:
    """End the request where its client is gone, or has stopped waiting."""
    if context is not None and not context.is_active():
        context.abort(grpc.StatusCode.CANCELLED, "nobody waits for it any more")


def _dim(collection: Any, field: str) -> int:
    return next(int(one.dim) for one in collection.schema.fields if one.name == field)


def _split_cursor(expression: str) -> tuple[str, str]:
    """The id after which a page begins, and the rest of the filter."""
    after = ""
    while cursor := CURSOR.fullmatch(expression):
        after, expression = max(after, cursor[1]), cursor[2] or ""
    return after, expression


def _listed_ids(expression: str) -> list[str] | None:
    """The ids of an expression that is a list of ids and nothing else."""
    conditions = parse_conditions(expression)
    match conditions:
        case [only] if only.column is None and only.operator == LIST:
            return list(map(str, only.value))
    return None
