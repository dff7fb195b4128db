"""The page in a real browser, headless: no errors, sorting and filtering, a phone, and paper."""

from __future__ import annotations

import base64
import io
import shutil
import unicodedata
from dataclasses import replace

import pytest

from bnfold.fold.account.ledger import Ledger
from bnfold.fold.plan import Refusal
from bnfold.report.html import html_page
from bnfold.report.sections import Findings
from tests.report.test_html import BENCH, LEDGER, TITLE, VERIFICATION

selenium = pytest.importorskip("selenium", reason="selenium drives the browser")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.print_page_options import PrintOptions  # noqa: E402

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
LONG = "backbone.layer{}.a_module_with_a_very_long_name.{}"
_OTHER = (Refusal("graph-output", "it is an output of the model"),)
BATCH_NORMS = "table[id$=every-batch-norm]"


def browser_and_driver():
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    return browser, shutil.which("chromedriver")


pytestmark = [
    pytest.mark.skipif(None in browser_and_driver(), reason="no chromium and chromedriver here"),
    pytest.mark.xdist_group("browser"),
]


def many(ledger: Ledger) -> Ledger:
    """Forty batch norms with long names; every second one is kept, for one of two reasons."""
    rows = (
        replace(
            decision,
            name=LONG.format(i, decision.name),
            channels=8 * (20 - i),
            rules=(*decision.rules, *(("pool",) if i % 2 and decision.rules else ())),
            refusals=(*decision.refusals, *(_OTHER if i % 2 and decision.refusals else ())),
            proof=None if decision.proof is None else (i + 1) * 1e-16,
        )
        for i in range(20)
        for decision in ledger.decisions
    )
    return replace(ledger, decisions=tuple(rows))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "page.html"
    page.write_text(
        html_page(Findings(TITLE, {"": many(LEDGER)}, VERIFICATION, BENCH)), encoding="utf-8"
    )
    browser, chromedriver = browser_and_driver()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in [
        *FLAGS.split(),
        "--window-size=1400,1000",
        f"--user-data-dir={folder / 'profile'}",
    ]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(chromedriver))
    found.page = page.as_uri()
    yield found
    found.quit()


@pytest.fixture
def opened(driver):
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get(driver.page)
    return driver


def column(driver, table: str, title: str) -> list[str]:
    """The cells of a column, in the rows that are shown."""
    return driver.execute_script(
        """const table = document.querySelector(arguments[0]);
        const heads = [...table.tHead.rows[0].cells].map(c => c.textContent.trim());
        const rows = [...table.tBodies[0].rows].filter(r => r.checkVisibility());
        return rows.map(r => r.cells[heads.indexOf(arguments[1])].textContent);""",
        table, title,
    )  # fmt: skip


def click(driver, table: str, title: str) -> None:
    heads = driver.find_elements(By.CSS_SELECTOR, f"{table} th button")
    next(head for head in heads if head.text == title).click()


def test_the_browser_has_nothing_to_complain_of(opened):
    assert opened.get_log("browser") == []
    assert opened.title == TITLE


def test_a_click_on_a_heading_sorts_by_it_and_another_turns_it_round(opened):
    assert column(opened, BATCH_NORMS, "channels")[:3] == ["160", "160", "152"]
    click(opened, BATCH_NORMS, "channels")
    channels = [int(text) for text in column(opened, BATCH_NORMS, "channels")]
    assert channels == [8 * (i // 2 + 1) for i in range(40)]
    click(opened, BATCH_NORMS, "proof")
    proofs = [float(text) for text in column(opened, BATCH_NORMS, "proof") if text]
    assert proofs == sorted(proofs)
    click(opened, BATCH_NORMS, "proof")
    down = column(opened, BATCH_NORMS, "proof")
    assert [float(text) for text in down[:20]] == sorted(proofs, reverse=True)
    assert down[20:] == [""] * 20  # what has no number comes last either way


def test_sizes_are_sorted_by_what_they_mean(opened):
    models = "table[id$=-models]"
    click(opened, models, "size")
    assert column(opened, models, "size") == ["1.0 KB", "2.0 MB"]


@pytest.mark.parametrize(
    ("searched", "shown"),
    [
        ("layer7.", {"'backbone.layer7.a_module_with_a_very_long_name.bn1'"}),
        (
            "SEVERAL-readers layer3.",
            {"'backbone.layer3.a_module_with_a_very_long_name.bn2' in If 'i'"},
        ),
        ("there is no such word", set()),
    ],
)
def test_the_search_finds_names_and_reasons(opened, searched, shown):
    opened.find_element(By.CSS_SELECTOR, ".tools input").send_keys(searched)
    found = set(column(opened, BATCH_NORMS, "what"))
    assert shown <= found
    assert len(found) == (2 if searched == "layer7." else len(shown))


@pytest.mark.parametrize(
    ("label", "value", "count"),
    [("status", "kept", 20), ("rules", "pool", 10), ("reason", "several-readers", 20)],
)
def test_a_filter_shows_the_rows_that_have_the_word(opened, label, value, count):
    tools = opened.find_element(By.CSS_SELECTOR, ".tools")
    labels = tools.find_elements(By.TAG_NAME, "label")
    select = next(one for one in labels if one.text.startswith(label))
    select.find_element(By.CSS_SELECTOR, f"option[value='{value}']").click()
    shown = column(opened, BATCH_NORMS, label)
    assert len(shown) == count
    assert all(value in text for text in shown)
    assert f"{count} of 40" in tools.text


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen_and_verdicts_are_to_be_seen(opened, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    for words in ("ok", "420", "faster", "2.050"):
        where = opened.execute_script(
            """for (const cell of document.querySelectorAll("td, tbody th")) {
              if (cell.textContent.includes(arguments[0])) {
                const box = cell.getBoundingClientRect();
                return [box.left, box.right, box.height];
              }
            }""",
            words,
        )
        assert where is not None, words
        assert 0 <= where[0] < where[1] <= width
        assert where[2] > 0


def test_the_letters_of_a_drawing_can_be_read_on_a_phone(opened):
    metrics = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    heights = opened.execute_script(
        """return [...document.querySelectorAll("svg text")]
        .map(text => text.getBoundingClientRect().height);"""
    )
    assert min(heights) >= 11


def test_paper_has_every_column_and_every_row(opened):
    """A4: also the rows that a filter hides on the screen; nothing begins beyond the edge."""
    pypdf = pytest.importorskip("pypdf", reason="pypdf reads what was printed")
    opened.find_element(By.CSS_SELECTOR, ".tools input").send_keys("there is no such word")
    paper = PrintOptions()
    paper.page_width, paper.page_height = 21.0, 29.7
    printed = pypdf.PdfReader(io.BytesIO(base64.b64decode(opened.print_page(paper))))
    width = float(printed.pages[0].mediabox.width)
    text, places = "", []
    for sheet in printed.pages:
        text += sheet.extract_text(
            visitor_text=lambda part, cm, tm, *_: (
                places.append(tm[4] * cm[0] + cm[4]) if part.strip() else None
            )
        )
    squeezed = "".join(unicodedata.normalize("NFKC", text).split())  # "ff" is printed as one
    heads = opened.execute_script(
        "return [...document.querySelectorAll('thead th')].map(h => h.textContent)"
    )
    assert len(heads) > 40
    for head in heads:
        assert "".join(head.split()) in squeezed
    for i in range(20):
        assert LONG.format(i, "bn1") in squeezed
    assert max(places) < width
    assert "search" not in text
