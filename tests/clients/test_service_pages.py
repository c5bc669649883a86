"""The web service as a radiologist drives it, in a real Chromium that draws with WebGL."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image, ImageChops

from bratsseg.service.accounts.roles import Role
from bratsseg.service.assets import missing_assets
from bratsseg.service.settings import Limits
from bratsseg.study.modality import Modality
from tests.clients.chromium import WEBGL, chromium
from tests.conftest import make_study
from tests.flows.conftest import SUFFIXES, save
from tests.service.conftest import PASSWORD, Site, accept, make_settings

pytestmark = pytest.mark.client

ASIDE = np.array([0.0, 30.0, 0.0])  # mm in the same slice: the crosshair must not cover what is looked at
PIECE = 65_536  # so that a scan takes several
SHAPE = (48, 56, 44)
LESION = np.array([18.0, 33.0, 22.0])  # where make_study puts it, in voxels
STRAIGHT = np.array([[-2.0, 0, 0, 47], [0, -2.0, 0, 55], [0, 0, 2.0, -43], [0, 0, 0, 1]])  # LPS, as BraTS stores it


def turned() -> np.ndarray:
    """An oblique grid: turned about two axes, 2 mm."""
    (a, b), (c, d) = (np.cos(0.3), np.sin(0.3)), (np.cos(0.2), np.sin(0.2))
    about_x = np.array([[1, 0, 0], [0, a, -b], [0, b, a]])
    about_z = np.array([[c, -d, 0], [d, c, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ np.diag([-2.0, -2.0, 2.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) / 2)
    return affine


def write_scans(folder: Path, affine: np.ndarray, seed: int = 0) -> list[Path]:
    """The four scans of a round head with one lesion; returns their files."""
    folder.mkdir(parents=True)
    study = make_study(tuple(Modality), SHAPE, affine, seed)
    return [
        save(folder / f"head-{SUFFIXES[modality]}.nii.gz", scan.voxels, affine)
        for modality, scan in study.volumes.items()
    ]


def without_lesion(path: Path) -> Path:
    """A FLAIR scan of a head in which nothing stands out: a coarse grain of two greys, the brighter one the more."""
    rng = np.random.default_rng(3)
    brain = np.linalg.norm(np.indices(SHAPE).T - np.array(SHAPE) / 2, axis=-1).T < 18
    grain = np.where(rng.random(SHAPE) < 0.6, 100, 40) + rng.integers(0, 10, SHAPE)
    return save(path, np.where(brain, grain, 0).astype(np.int16), STRAIGHT)


def at(affine: np.ndarray, voxel: np.ndarray) -> np.ndarray:
    """RAS mm of a voxel."""
    return affine[:3, :3] @ voxel + affine[:3, 3]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if missing := missing_assets():
        pytest.skip(f"{', '.join(missing)}: not fetched (bratsseg serve assets)")
    with chromium(*WEBGL) as started:
        yield started


@pytest.fixture(scope="module")
def served(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A service on a port of this machine, with a worker; and its address."""
    import uvicorn

    site = Site(make_settings(tmp_path_factory.mktemp("site") / "data", limits=Limits(piece=PIECE)))
    site.user(Role.RADIOLOGIST, name="rosalind")
    with socket.create_server(("127.0.0.1", 0)) as listening, site.working():
        server = uvicorn.Server(uvicorn.Config(site.app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield site, f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    site.context.close()


@pytest.fixture(scope="module")
def results(served: tuple[Site, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Results by name: straight, oblique, and one in which nothing was found."""
    site, _ = served
    client, found = site.client(Role.RADIOLOGIST), {}
    for seed, (name, affine) in enumerate((("straight", STRAIGHT), ("oblique", turned())), start=1):
        files = write_scans(tmp_path_factory.mktemp(name) / "in", affine, seed)
        taken = accept(client, {path.name: path.read_bytes() for path in files}, piece=PIECE)
        assert taken.status_code == 201, taken.text
        found[name] = result_of(client, taken.json()["job_id"])
    even = without_lesion(tmp_path_factory.mktemp("nothing") / "head-t2f.nii.gz")
    taken = accept(client, {even.name: even.read_bytes()}, piece=PIECE)
    found["nothing"] = result_of(client, taken.json()["job_id"])
    return found


def result_of(client: Any, job: str) -> str:
    """The result of a job, once the worker is through with it."""
    client.get(f"/api/v1/jobs/{job}/events")
    ended = client.get(f"/api/v1/jobs/{job}").json()
    assert ended["status"] == "done", ended
    return str(ended["result_id"])


class Reader:
    """A browser window that is logged in; every error of its console and every request is kept."""

    def __init__(self, browser: Any, address: str, width: int = 1040, session: Any = None) -> None:
        self.address, self.wrong, self.outside = address, [], []
        self.window = browser.new_context(viewport={"width": width, "height": 800}, storage_state=session)
        self.page = self.window.new_page()
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.route("**/*", self._asked)
        if session is None:
            self.log_in()
        else:
            self.open("/")

    def log_in(self) -> None:
        self.open("/login")
        self.page.get_by_label("Name").fill("rosalind")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}/")

    def _asked(self, route: Any) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def view(self, result: str) -> Any:
        """Open a result and wait until it is drawn."""
        self.open(f"/results/{result}")
        return self.ready()

    def ready(self) -> Any:
        self.page.wait_for_selector("#viewer[data-ready]", timeout=60_000)
        return self.page

    def close(self) -> None:
        """Nothing went wrong, and nothing left the machine."""
        self.window.close()
        assert self.wrong == []
        assert self.outside == []

    def keep(self, name: str) -> None:
        """A screenshot for human eyes, when BRATSSEG_SCREENSHOTS names a folder."""
        if folder := os.environ.get("BRATSSEG_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def go_to(self, mm: np.ndarray) -> None:
        self.page.locator("#go-to").fill(", ".join(f"{one:.3f}" for one in mm))
        self.page.keyboard.press("Tab")

    def shown_mm(self) -> np.ndarray:
        """Where the crosshair is, as the page tells it."""
        return np.array([float(one) for one in self.page.locator("#place").get_attribute("data-mm").split(",")])

    def drawn(self) -> Image.Image:
        """The canvas as it is seen."""
        return Image.open(io.BytesIO(self.page.locator("#canvas").screenshot())).convert("RGB")

    def seen_at(self, mm: np.ndarray) -> tuple[int, int]:
        """Where a position is on the canvas, in pixels."""
        found = self.page.evaluate(
            """(mm) => {
                const { nv } = document.getElementById("canvas").viewer.scene;
                return nv.frac2canvasPos(nv.mm2frac(mm, 0, true));
            }""",
            list(map(float, mm)),
        )
        return round(found[0]), round(found[1])


@pytest.fixture(scope="module")
def session(browser: Any, served: tuple[Site, str]) -> Any:
    """The cookies of somebody who logged in."""
    reader = Reader(browser, served[1])
    kept = reader.window.storage_state()
    reader.close()
    return kept


@pytest.fixture
def reader(browser: Any, served: tuple[Site, str], session: Any) -> Iterator[Reader]:
    reader = Reader(browser, served[1], session=session)
    yield reader
    reader.close()


def change_at(before: Image.Image, after: Image.Image, where: tuple[int, int], reach: int = 6) -> float:
    """The mean difference, 0-255, of two screenshots around a pixel."""
    x, y = where
    box = (x - reach, y - reach, x + reach, y + reach)
    return float(np.asarray(ImageChops.difference(before.crop(box), after.crop(box))).mean())


def volume(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def download(page: Any, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name, exact=True).click()
    return Path(waiting.value.path()).read_bytes()


def test_from_the_login_to_the_overlay_and_the_timeline(reader, tmp_path):
    page = reader.page
    page.get_by_role("link", name="Register a patient").click()
    page.get_by_label("Name").fill("Ada Example")
    page.get_by_label("Number").fill("P-1")
    page.get_by_role("button", name="Save").click()
    for number, day in enumerate(("2024-01-05", "2024-04-05")):
        page.get_by_role("link", name="Upload a study").click()
        page.locator("#files").set_input_files(write_scans(tmp_path / day, STRAIGHT, 10 + number))
        page.get_by_label("Day of the scan").fill(day)
        page.get_by_role("button", name="Upload").click()
        page.get_by_role("heading", name="Which scan is which?").wait_for()
        roles = page.locator("select[name^=role-]").evaluate_all("(all) => all.map((one) => one.value).sort()")
        assert roles == sorted(Modality)
        page.get_by_role("button", name="This is right: segment").click()
        page.locator("#job-result").click(timeout=60_000)
        reader.ready()
        assert page.locator("h1").inner_text() == "Finding"
        assert page.locator("#label").inner_text() == "Whole tumour"
        page.get_by_role("link", name="Ada Example").click()
    assert page.locator("figure.curve svg").is_visible()
    assert 10 < page.locator("figure.curve text").first.bounding_box()["height"] < 20
    assert page.get_by_role("link", name="2024-01-05").count() >= 1
    reader.keep("patient")
    page.get_by_role("link", name="Jobs").click()
    assert page.get_by_role("link", name="Ada Example").count() == 2


def test_the_overlay_is_at_the_tumour_and_not_elsewhere(reader, results):
    page = reader.view(results["straight"])
    page.keyboard.press("v")  # axial alone
    tumour, mirror = at(STRAIGHT, LESION), at(STRAIGHT, LESION * [0, 1, 1] + [30, 0, 0])
    reader.go_to(tumour + ASIDE)
    with_overlay = reader.drawn()
    page.keyboard.press("h")
    without = reader.drawn()
    assert change_at(with_overlay, without, reader.seen_at(tumour)) > 10
    assert change_at(with_overlay, without, reader.seen_at(mirror)) == 0
    page.keyboard.press("h")
    assert change_at(with_overlay, reader.drawn(), reader.seen_at(tumour)) == 0
    right, left = reader.seen_at([20, 0, 1]), reader.seen_at([-20, 0, 1])
    assert right[0] < left[0], "radiological: the patient's right is on the left"


def test_regions_outlines_opacity_threshold_window_and_scans(reader, results):
    page = reader.view(results["straight"])
    page.keyboard.press("v")
    tumour = at(STRAIGHT, LESION)
    reader.go_to(tumour + ASIDE)
    where = reader.seen_at(tumour)
    filled = reader.drawn()
    page.get_by_label("Whole tumour as an outline").check()
    outlined = reader.drawn()
    assert change_at(filled, outlined, where) > 10, "an outline is clear inside"
    page.keyboard.press("w")
    hidden = reader.drawn()
    assert change_at(outlined, hidden, where) == 0
    assert change_at(outlined, hidden, where, reach=60) > 0.5
    page.keyboard.press("o")
    page.keyboard.press("w")
    page.locator("#opacity").fill("1")
    assert change_at(filled, reader.drawn(), where) > 10
    page.locator("#opacity").fill("0.5")
    page.locator("#threshold").fill("0.95")
    page.get_by_text("95 %").wait_for()
    stricter = page.evaluate("document.getElementById('canvas').viewer.bits.reduce((sum, bit) => sum + (bit & 1), 0)")
    page.locator("#threshold-reset").click()
    decided = page.evaluate("document.getElementById('canvas').viewer.bits.reduce((sum, bit) => sum + (bit & 1), 0)")
    assert stricter < decided
    level = page.locator("#level")
    level.fill(str(float(level.input_value()) * 1.5))
    assert change_at(filled, reader.drawn(), reader.seen_at(at(STRAIGHT, np.array([30.0, 28, 22])))) > 10
    page.locator("#window-reset").click()
    for key, name in (("2", "T1"), ("3", "T1ce"), ("4", "T2"), ("1", "FLAIR")):
        page.keyboard.press(key)
        page.locator("#value", has_text=f"{name} ").wait_for()


def test_jumps_and_the_crosshair_tell_ras_mm_and_label(reader, results):
    page = reader.view(results["oblique"])
    tumour = at(turned(), LESION)
    reader.go_to(at(turned(), np.array([34.0, 20.0, 22.0])))
    assert page.locator("#label").inner_text() == "no tumour"
    page.get_by_role("button", name="Next lesion").click()
    assert np.linalg.norm(reader.shown_mm() - tumour) < 4
    assert page.locator("#label").inner_text() == "Whole tumour"
    reader.go_to(at(turned(), np.array([34.0, 20.0, 22.0])))
    page.locator("#canvas").focus()
    page.keyboard.press("l")
    assert np.linalg.norm(reader.shown_mm() - tumour) < 6
    before = reader.shown_mm()
    page.keyboard.press("ArrowRight")  # to the right of the screen: to the patient's left
    assert reader.shown_mm()[0] < before[0] - 1


def test_a_correction_returns_at_the_same_mm_on_an_oblique_study(reader, results, served):
    page = reader.view(results["oblique"])
    affine, voxel = turned(), np.array([34, 20, 22])
    spot = at(affine, voxel.astype(float))
    model = volume(download(page, "Label map, NIfTI"))
    reader.go_to(spot)
    page.locator("#canvas").focus()
    page.keyboard.press("d")
    page.get_by_label("Enhancing tumour").check()
    page.locator("#canvas").focus()
    page.keyboard.press("Enter")
    assert page.locator("#label").inner_text() == "Enhancing tumour"
    page.get_by_label("Comment").fill("a second lesion")
    reader.keep("correcting")
    page.get_by_role("button", name="Save the correction").click()
    page.get_by_text("correct by rosalind").wait_for()
    reader.ready()
    assert np.linalg.norm(reader.shown_mm() - spot) < 0.01
    assert page.locator("#label").inner_text() == "Enhancing tumour"
    corrected = volume(download(page, "Correction, NIfTI"))
    np.testing.assert_allclose(corrected.affine, model.affine, atol=1e-4)
    np.testing.assert_allclose(corrected.affine, affine, atol=1e-3)
    now, before = np.asarray(corrected.dataobj), np.asarray(model.dataobj)
    changed = np.argwhere(now != before)
    assert len(changed) == 7
    assert np.abs(changed - voxel).sum(axis=1).max() == 1
    assert set(now[now != before]) == {3}, "enhancing tumour in the dialect of the result"
    assert page.locator("#volume-ET").inner_text() == "0.06 mL"
    assert page.get_by_text("a second lesion").is_visible()


def test_a_stroke_of_the_mouse_is_drawn_and_taken_back(reader, results):
    page = reader.view(results["straight"])
    page.keyboard.press("v")
    spot = at(STRAIGHT, np.array([34.0, 20.0, 22.0]))
    reader.go_to(at(STRAIGHT, LESION))
    page.get_by_role("button", name="Correct").click()
    page.get_by_label("Edema").or_(page.get_by_label("Whole tumour", exact=True)).last.check()
    before, where = reader.drawn(), reader.seen_at(spot)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + where[0] - 20, box["y"] + where[1])
    page.mouse.down()
    page.mouse.move(box["x"] + where[0] + 20, box["y"] + where[1], steps=8)
    page.mouse.up()
    beside = where[0] - 10, where[1] - 12  # within the stroke, off the crosshair, which follows the pen
    assert change_at(before, reader.drawn(), beside, reach=4) > 5
    page.locator("#undo").click()
    assert change_at(before, reader.drawn(), beside, reach=4) == 0
    assert page.locator("#undo").is_disabled()
    page.get_by_role("button", name="Discard …").click()
    page.get_by_role("button", name="Discard the drawing").click()
    page.locator("#drawing").wait_for(state="hidden")


def judge(reader, verdict, comment):
    """Comment and press the button, as rosalind does, until the page shows it."""
    page = reader.page
    page.get_by_label("Comment").fill(comment)
    page.get_by_role("button", name=verdict).click()
    page.get_by_text(f"{verdict.lower()} by rosalind").wait_for()
    reader.ready()


def test_accept_and_download(reader, results):
    page = reader.view(results["straight"])
    judge(reader, "Accept", "as I see it")
    labels = volume(download(page, "Label map, NIfTI"))
    assert np.asarray(labels.dataobj)[tuple(LESION.astype(int))] == 2
    assert download(page, "3D Slicer .seg.nrrd").startswith(b"NRRD")
    assert download(page, "Report, PDF").startswith(b"%PDF")


def test_reject_with_a_comment(reader, results):
    page = reader.view(results["straight"])
    judge(reader, "Reject", "the edge is <b>too</b> wide")
    assert page.get_by_text("the edge is <b>too</b> wide").is_visible()


def test_none_found_is_shown_as_such(reader, results):
    page = reader.view(results["nothing"])
    assert page.locator("h1").inner_text() == "None found"
    assert page.locator("#volume-WT").inner_text() == "0.00 mL"
    page.get_by_role("button", name="Next lesion").click()
    assert page.locator("#viewer-status").inner_text() == "no lesion"
    page.get_by_role("button", name="Largest slice").click()
    reader.keep("none-found")


def test_what_is_not_assessable_is_told_with_a_reason_not_zero(reader, results):
    page = reader.view(results["nothing"])
    assert page.locator("#volume-TC, #volume-ET").count() == 0
    for reason in page.locator("td.unknown").all_inner_texts():
        assert reason.startswith("not assessable: ")
        assert len(reason) > len("not assessable: ")
    assert page.locator("td.unknown").count() == 2
    assert page.get_by_label("Show Whole tumour").is_visible()
    assert page.get_by_label("Show Tumour core").count() == 0
    assert page.get_by_label("Show Enhancing tumour").count() == 0
    reader.keep("not-assessable")


def test_an_upload_that_breaks_off_goes_on_where_it_was(reader, tmp_path):
    page, offsets = reader.page, []

    def torn(route: Any) -> None:
        """The second piece meets a broken connection, the fourth one never ends."""
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) == 2:
            route.abort("connectionreset")
        elif len(offsets) != 4:
            route.fallback()

    def choose(seed: int) -> None:
        reader.open("/upload")
        plain = tmp_path / str(seed) / "head-t2f.nii"  # as large for every patient as it is for this one
        packed = write_scans(tmp_path / f"scans-{seed}", STRAIGHT, seed)[0]
        plain.parent.mkdir(exist_ok=True)
        plain.write_bytes(gzip.decompress(packed.read_bytes()))
        page.locator("#files").set_input_files(plain)
        page.get_by_role("button", name="Upload").click()

    page.route("**/api/v1/uploads/*/files/*", torn)
    choose(30)
    page.locator("#upload-progress", has_text="55 %").wait_for()
    while len(offsets) < 4:
        page.wait_for_timeout(50)
    assert offsets == [0, PIECE, PIECE, 2 * PIECE]
    choose(31)  # of another patient, before the first was through
    page.get_by_role("heading", name="Which scan is which?").wait_for()
    assert offsets[4:] == [0, PIECE, 2 * PIECE, 3 * PIECE]
    shutil.rmtree(tmp_path / "scans-30")
    choose(30)
    page.get_by_role("heading", name="Which scan is which?").wait_for()
    assert offsets[8:] == [2 * PIECE, 3 * PIECE]
    assert all("ERR_CONNECTION_RESET" in said for said in reader.wrong)
    reader.wrong.clear()


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_cut_off(browser, served, session, results, width):
    reader = Reader(browser, served[1], width, session)
    for name, path in (
        ("home", "/"),
        ("upload", "/upload"),
        ("patients", "/patients"),
        ("jobs", "/jobs"),
        ("models", "/models"),
        ("explainer", "/explainer"),
    ):
        reader.open(path)
        reader.keep(f"{name}-{width}")
        assert wider_than_the_page(reader.page) == []
    page = reader.view(results["straight"])
    reader.keep(f"viewer-{width}")
    assert wider_than_the_page(page) == []
    assert page.locator("#canvas").bounding_box()["width"] >= min(width - 40, 800)
    for name in ("Accept", "Largest slice", "Next lesion"):
        assert page.get_by_role("button", name=name).is_visible()
    page.get_by_role("button", name="Correct").click()
    reader.keep(f"drawing-{width}")
    assert wider_than_the_page(page) == []
    reader.close()


def wider_than_the_page(page: Any) -> list[str]:
    """What reaches beyond the right edge."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const all = [...document.querySelectorAll("main *, header *, footer *")];
            const out = all.filter((one) => one.getBoundingClientRect().width > 1 &&
                one.getBoundingClientRect().right > width + 1);
            return out.map((one) => one.tagName + " " + one.textContent.trim().slice(0, 40));
        }"""
    )
    return found


def test_the_keyboard_alone_reviews_a_result(reader, results):
    page = reader.view(results["straight"])
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.id || document.activeElement.name || ''")
        reached.append(name)
        if name == "comment":
            break
    wanted = {"modality", "view", "canvas", "largest", "next", "go-to", "overlay", "opacity", "level", "width"}
    assert wanted | {"show-WT", "outline-WT", "threshold", "comment"} <= set(reached)
    page.keyboard.type("by keyboard w 1 n")  # letters in a text are no commands
    assert page.get_by_label("Show Whole tumour").is_checked()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Accept"
    page.keyboard.press("Enter")
    page.get_by_text("by keyboard w 1 n").wait_for()
    assert "accept by rosalind" in page.locator(".reviews").inner_text()
