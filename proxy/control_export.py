"""The operator's socket hands out a bundle of audit records: who may open it may read the folder of the log anyway."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from multidict import MultiDict

from proxy.service.audit_export import AuditExport
from proxy.service.audit_question import BadQuestion, question_of
from proxy.service.ports import Peer


def export_route(export: AuditExport) -> web.RouteDef:
    """``POST /audit/export``: a question in the query, the bundle as the answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        query = MultiDict(request.query)
        form = query.pop("format", "")
        try:
            selection = question_of(query).selection
        except BadQuestion as bad:
            return web.json_response({"error": str(bad)}, status=HTTPStatus.BAD_REQUEST)
        begun = await export.begin(selection, None, Peer("cli"), form)
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in begun.pieces:
            await response.write(piece)
        return response

    return web.post("/audit/export", answer)
