from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.commands.check import check
from proxy.commands.init import write_site
from proxy.config import load_config
from proxy.errors import ConfigError
from proxy.site import make_viewer

SITE = """\
version: 1
node_key_file: keys/node.key
http: {%s}
destinations: {archive: {type: archive}}
projects:
  research: {ae_titles: [VEIL], path: research, key_file: keys/research.key, destinations: [archive]}
"""
OIDC = "auth: {oidc: {issuer: 'https://login.example', audience: veil, jwks_url: 'https://login.example/keys'}}"


def site(folder: Path, http: str) -> Path:
    return write_site(folder / "site", SITE % http)


def test_no_viewer_by_default(tmp_path: Path) -> None:
    assert make_viewer(load_config(site(tmp_path, ""))) is None


def test_the_folder_is_relative_to_the_document(tmp_path: Path) -> None:
    build = make_viewer(load_config(site(tmp_path, "viewer_dir: ohif")))
    assert build is not None
    assert (build.folder, build.sign_in) == (tmp_path / "site" / "ohif", None)


def test_people_sign_in_where_the_site_asks(tmp_path: Path) -> None:
    build = make_viewer(load_config(site(tmp_path, f"viewer_dir: ohif, viewer_client_id: ohif, {OIDC}")))
    assert build is not None
    assert build.sign_in is not None
    assert (build.sign_in.issuer, build.sign_in.scope) == ("https://login.example", "openid")


@pytest.mark.parametrize("http", ["viewer_client_id: ohif", f"viewer_client_id: ohif, viewer_scope: imaging, {OIDC}"])
def test_what_cannot_work_stops_the_start(tmp_path: Path, http: str) -> None:
    with pytest.raises(ConfigError, match="viewer"):
        load_config(site(tmp_path, http))


def test_a_check_finds_out_that_there_is_no_viewer(tmp_path: Path) -> None:
    path = site(tmp_path, "viewer_dir: ohif")
    done = CliRunner().invoke(check, ["-c", str(path)])
    assert isinstance(done.exception, ConfigError)
    (path.parent / "ohif").mkdir()
    (path.parent / "ohif" / "index.html").write_text("")
    assert CliRunner().invoke(check, ["-c", str(path)]).exit_code == 0
