"""Reports in a browser: ``nox -s browser`` runs what is skipped where there is no Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.plots import write_report

from ..conftest import SETTINGS
from .test_report import AWKWARD, run_of, text_model

pytest.importorskip("bokeh", reason="reports are drawn with bokeh")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
AXE = find_spec("axe_playwright_python")  # which holds axe-core; without its playwright
if AXE is None or AXE.origin is None:
    pytest.skip("there is no axe-core", allow_module_level=True)
if not (shutil.which("chromium") and shutil.which("chromedriver")):
    pytest.skip("there is no Chromium", allow_module_level=True)

WIDTHS = (380, 1400)
Driver = Any

PLACE = """
const view = [...Bokeh.index.roots].find((v) => v.model.name === "map");
const { data } = Bokeh.documents.map((d) => d.get_model_by_name("rows")).find(Boolean);
view.el.scrollIntoView({ block: "center" });
const box = view.canvas_view.el.getBoundingClientRect();
return [box.left + view.frame.x_scale.compute(data.x[arguments[0]]),
        box.top + view.frame.y_scale.compute(data.y[arguments[0]])];
"""
"""Where a row is drawn, in pixels of the window."""

SHOWN = """
const found = [];
const look = (root) => {
  for (const el of root.querySelectorAll("*")) {
    if (el.classList.contains("bk-tooltip-content")) found.push(el);
    if (el.shadowRoot) look(el.shadowRoot);
  }
};
look(document);
return found.filter((el) => el.getBoundingClientRect().width > 0)
  .map((el) => el.textContent).join("|");
"""
"""The text of the tooltips that are there."""

ROWS = "const d = Bokeh.documents.map((d) => d.get_model_by_name('rows')).find(Boolean).data; "
SPAN = """
const m = Bokeh.documents.map((d) => d.get_model_by_name("map")).find(Boolean);
return [m.x_range.start, m.x_range.end, m.y_range.start, m.y_range.end];
"""
"""What of the plane is shown."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, dataset, trainer = text_model()
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(model, dataset, path, run=run_of(trainer), method="pca", name="A model")


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    made = webdriver.Chrome(options=options, service=service)
    yield made
    made.quit()


@pytest.fixture
def opened(driver: Driver) -> Callable[..., Driver]:
    """Opens a page at a width, in light or dark, and waits until it is drawn."""

    def open_page(path: Path, width: int, dark: bool = False) -> Driver:
        from selenium.webdriver.support.ui import WebDriverWait

        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.get(path.as_uri())
        ready = "return document.documentElement.dataset.ready === 'true'"
        WebDriverWait(driver, 60).until(lambda d: d.execute_script(ready))
        return driver

    return open_page


def wait_for(driver: Driver, what: Callable[[], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 10).until(lambda _: what())


def point_at(driver: Driver, row: int, click: bool = False) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    x, y = driver.execute_script(PLACE, row)
    chain = ActionChains(driver, duration=50)
    pointer = chain.w3c_actions.pointer_action
    pointer.move_to_location(round(x) + 40, round(y) + 40)
    pointer.move_to_location(round(x), round(y))
    if click:
        pointer.click()
    chain.perform()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_a_complaint_and_fits(
    opened: Callable[..., Driver], page: Path, width: int, dark: bool
) -> None:
    driver = opened(page, width, dark)
    complaints = [e for e in driver.get_log("browser") if e["level"] not in ("INFO", "DEBUG")]
    assert not complaints
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.execute_script("return window.ran") is None
    loaded = driver.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0
    ink = driver.execute_script(
        "const curve = Bokeh.documents.map((d) => d.get_model_by_name('curve0')).find(Boolean);"
        "return curve.left[0].major_label_text_color"
    )
    assert ink == ("#e9ebee" if dark else "#16181d")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(
    opened: Callable[..., Driver], page: Path, width: int, dark: bool
) -> None:
    driver = opened(page, width, dark)
    driver.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    point_at(driver, 0, click=True)
    assert AXE is not None
    axe = Path(str(AXE.origin)).with_name("axe.min.js")
    driver.execute_script(axe.read_text("utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    serious = {
        each["id"]: [node["html"] for node in each["nodes"]]
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    }
    assert serious == {}
    assert len(found["passes"]) > 15


@pytest.mark.parametrize("width", WIDTHS)
def test_hover_shows_the_text_as_typed_and_a_click_the_neighbours(
    opened: Callable[..., Driver], page: Path, width: int
) -> None:
    driver = opened(page, width)
    texts = list(driver.execute_script(ROWS + "return Array.from(d.text)"))
    for text in AWKWARD[:3]:
        row = texts.index(text)
        point_at(driver, row)
        shown = wait_for(driver, lambda: driver.execute_script(SHOWN))
        drawn_over = driver.execute_script(
            ROWS + "const i = arguments[0]; return Array.from(d.x).map((x, j) => [j, (x-d.x[i])**2"
            "+ (d.y[j]-d.y[i])**2]).sort((a, b) => a[1]-b[1]).slice(0, 5).map((p) => d.text[p[0]])",
            row,
        )
        assert any(each.replace("\u2028", " ") in shown for each in drawn_over), shown
    point_at(driver, 5, click=True)
    title = wait_for(driver, lambda: driver.find_elements("css selector", "#panel h3"))[0].text
    row = texts.index(title)
    near = driver.execute_script(ROWS + "return Array.from(d.near)")[10 * row : 10 * row + 10]
    listed = driver.find_elements("css selector", "#panel ol button")
    assert [each.text.split("\n", 1)[1] for each in listed] == [texts[i] for i in near]


def test_search_filters_and_the_keyboard_reaches_all(
    opened: Callable[..., Driver], page: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    driver = opened(page, 1400)
    find = lambda css: driver.find_element("css selector", css)  # noqa: E731
    find("#query").send_keys("<B>BOLD")
    wait_for(driver, lambda: find("#count").text == "1 of 88 rows")
    alpha = driver.execute_script(ROWS + "return Array.from(d.alpha)")
    assert sum(value > 0.5 for value in alpha) == 1
    whole = driver.execute_script(SPAN)
    for _ in range(6):  # class, show, three buttons, the map
        driver.switch_to.active_element.send_keys(Keys.TAB)
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT, "+")
    assert driver.execute_script(SPAN)[0] > whole[0]
    driver.switch_to.active_element.send_keys("0")
    assert driver.execute_script(SPAN) == pytest.approx(whole)
    for _ in range(2):  # the panel, its first row
        driver.switch_to.active_element.send_keys(Keys.TAB)
    button = driver.switch_to.active_element
    assert AWKWARD[1] in button.text
    button.send_keys(Keys.ENTER)
    wait_for(driver, lambda: find("#panel h3").text == AWKWARD[1])
    assert driver.switch_to.active_element.text == AWKWARD[1]
    assert driver.execute_script("return document.querySelectorAll('#panel b').length") == 0
    find("#query").clear()
    find("#query").send_keys("no such text")
    wait_for(driver, lambda: find("#count").text == "0 of 88 rows")
    find("#query").clear()
    find("#query").send_keys("a", Keys.BACKSPACE)
    find("#only").send_keys("unlabelled")
    wait_for(driver, lambda: find("#count").text == "3 of 88 rows")


def test_buttons_zoom_and_lead_back(opened: Callable[..., Driver], page: Path) -> None:
    driver = opened(page, 1400)
    whole = driver.execute_script(SPAN)
    driver.find_element("id", "in").click()
    near = driver.execute_script(SPAN)
    assert near[1] - near[0] == pytest.approx(0.7 * (whole[1] - whole[0]))
    driver.find_element("id", "reset").click()
    assert driver.execute_script(SPAN) == pytest.approx(whole)


def test_ten_thousand_points_stay_fluid(
    opened: Callable[..., Driver], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 77, 10_000)
    x = rng.normal(size=(77, 12))[labels] + 0.5 * rng.normal(size=(10_000, 12))
    splits = np.where(np.arange(10_000) < 300, "train", "test").tolist()
    dataset = TripletDataset.from_arrays(x.astype(np.float32), labels, splits)
    model = DTGCNN(backend="numpy", **SETTINGS, start="none")
    rows = model.vectors(dataset.inputs)
    model.build_bank(rows[:300], labels[:300].tolist())
    path = write_report(model, dataset, tmp_path / "large.html", method="pca")
    driver = opened(path, 1400)
    driver.execute_script(PLACE, 0)
    driver.execute_script(
        "window.times = []; const tick = (t) => { times.push(t); requestAnimationFrame(tick); };"
        "requestAnimationFrame(tick)"
    )
    x0, y0 = driver.execute_script(PLACE, 0)
    chain = ActionChains(driver, duration=16)
    pointer = chain.w3c_actions.pointer_action
    pointer.move_to_location(round(x0), round(y0))
    pointer.pointer_down()
    for step in range(60):
        pointer.move_to_location(round(x0) + 2 * min(step, 60 - step), round(y0) + step // 3)
    pointer.pointer_up()
    driver.execute_script("times.length = 0")
    chain.perform()
    frames = np.diff(driver.execute_script("return times"))
    started = driver.execute_script("return performance.now()")
    box = driver.find_element("id", "query")
    box.send_keys("row 99")
    wait_for(driver, lambda: driver.find_element("id", "count").text)
    searched = driver.execute_script("return performance.now()") - started
    with capsys.disabled():
        print(
            f"\n10,000 points, {path.stat().st_size / 1e6:.1f} MB: a frame of dragging takes "
            f"{np.median(frames):.0f} ms at the median, {np.percentile(frames, 95):.0f} ms at the "
            f"95th percentile; from typing to the answer {searched:.0f} ms"
        )
    assert np.median(frames) < 50
    assert searched < 2000
