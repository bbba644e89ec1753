"""The protocol in force is for everyone to read; each is called as the site calls its role."""

from __future__ import annotations

import pytest

from domain.protocol import Body, SiteName
from domain.registry import Role
from tests.conftest import Database
from tests.site import running_site

pytestmark = pytest.mark.server


def test_everyone_reads_the_protocol_and_what_the_site_calls_them(site_db: Database) -> None:
    with running_site(site_db) as site:
        kim, dana, pat = site.person("kim"), site.person("dana"), site.person("pat")
        assert (dana.see("/v1/me")["role"], dana.see("/v1/me")["called"]) == ("case_manager", "case_manager")
        names = (
            SiteName(term=Role.CASE_MANAGER, name="LWCM"),
            SiteName(term=Body.OPERATIONAL_WORK_GROUP, name="KSPC"),
        )
        now = site.parts.site.protocol()
        later = now.model_copy(update={"version": "P-named", "retroactive": True, "names": names})
        pat.do("/v1/register/protocols", {"protocol": later.model_dump(mode="json")})

        assert (dana.see("/v1/me")["role"], dana.see("/v1/me")["called"]) == ("case_manager", "LWCM")
        assert kim.see("/v1/me")["called"] == kim.see("/v1/me")["role"]
        read = kim.see("/v1/protocol")
        assert {each["term"]: each["name"] for each in read["names"]} == {
            "case_manager": "LWCM",
            "operational_work_group": "KSPC",
        }
        assert (read["version"], read["intake_days"], read["public_referrals_per_address"]) == ("P-named", 30, 6)
        assert read["divertible"] == sorted(later.divertible), "the same bytes from every process"
        assert dana.see("/v1/protocol") == pat.see("/v1/protocol") == read
        assert kim.client.get("/v1/protocol").status_code == 401
