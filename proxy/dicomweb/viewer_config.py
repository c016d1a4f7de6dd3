"""What the viewer is told: OHIF's app-config.js, and the Content-Security-Policy that it lives under. Pure text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: where the viewer is served, below the prefix of a reverse proxy
PLACE = "/viewer"
#: ndarray, which segmentations need, compiles strings; WebAssembly decodes images, in workers; React sets style
#: attributes; thumbnails and reports are data: and blob: URLs
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'unsafe-eval' 'wasm-unsafe-eval'",
    "worker-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "object-src": "'self' blob:",
    "frame-src": "'self' blob:",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_SCRIPT = """\
window.PUBLIC_URL = %s;
function browserImportFunction(module) { return import(module); }
window.config = %s;
for (const { configuration } of window.config.dataSources)
  for (const root of ["qidoRoot", "wadoRoot", "wadoUriRoot"])
    configuration[root] = window.location.origin + configuration[root];
"""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The OpenID provider of http.auth, and as which of its public clients people sign in (code flow with PKCE)."""

    issuer: str
    client_id: str
    scope: str


def policy(sign_in: SignIn | None) -> str:
    """The header's value. Beside Veil itself only the provider may be asked."""
    rules = dict(_POLICY)
    if sign_in is not None:
        issuer = urlsplit(sign_in.issuer)
        rules["connect-src"] += f" {issuer.scheme}://{issuer.netloc}"
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def script(prefix: str, projects: Sequence[str], sign_in: SignIn | None) -> bytes:
    """app-config.js for a viewer below ``prefix``; ``projects``: URL paths, the default first."""
    config: dict[str, Any] = {
        "name": "Veil",
        "routerBasename": prefix + PLACE,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showErrorDetails": "production",
        "strictZSpacingForVolumeViewport": True,
        "defaultDataSourceName": projects[0] if projects else "",
        "dataSources": [_data_source(prefix, project) for project in projects],
    }
    if sign_in is not None:
        config["oidc"] = [
            {
                "authority": sign_in.issuer,
                "client_id": sign_in.client_id,
                "scope": sign_in.scope,
                "response_type": "code",
                "redirect_uri": "/callback",
                # OHIF takes its own route /viewer for "/" here, and opens no study
                "post_logout_redirect_uri": "/signed-out",
            }
        ]
    return (_SCRIPT % (json.dumps(f"{prefix}{PLACE}/"), json.dumps(config))).encode("ascii")


def _data_source(prefix: str, project: str) -> dict[str, Any]:
    root = f"{prefix}/dicomweb/{project}"
    return {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": project,
        "configuration": {
            "friendlyName": project,
            "name": project,
            "qidoRoot": root,
            "wadoRoot": root,
            "wadoUriRoot": root,
            "qidoSupportsIncludeField": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": False,
            "supportsWildcard": True,
            "dicomUploadEnabled": False,
            "omitQuotationForMultipartRequest": True,
            "singlepart": "bulkdata,video",
            "bulkDataURI": {"enabled": True},
            # a frame is decoded once it is whole: what is stored is rarely made for progressive decoding
            "stackRetrieveOptions": {"retrieveOptions": {"single": {"streaming": False}}},
        },
    }
