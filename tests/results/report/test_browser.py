"""The report in headless Chromium: clicked, at the width of a desktop and of a phone."""

from __future__ import annotations

import shutil
import time

import pytest

from zoo.cli import main

SIZES = {"desktop": (1280, 900), "phone": (375, 800)}


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    driver = shutil.which("chromedriver")
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if not driver or not binary:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def url(tmp_path_factory, write_report_run):
    folder = tmp_path_factory.mktemp("browser")
    for name, segf1 in (("cup", 0.6), ("plate", 0.4)):
        write_report_run(folder / "runs", "m/quick", name, 0, segf1)
        write_report_run(folder / "runs", "m/large", name, 0, segf1 + 0.2, cost=(300.0, 2000.0))
    assert main(["report", str(folder / "runs"), "--out", str(folder / "report.html")]) == 0
    return (folder / "report.html").as_uri()


@pytest.fixture(params=SIZES)
def page(request, browser, url):
    width, height = SIZES[request.param]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
    metrics["mobile"] = request.param == "phone"
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(url)
    browser.execute_script("localStorage.clear()")
    browser.get(url)
    yield browser
    errors = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert not errors


def find(page, selector):
    return page.find_element("css selector", selector)


def click(page, element):
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def column(page, name) -> list[str]:
    """Return the texts of a column of the first table, from top to bottom."""
    heads = page.find_elements("css selector", "#results table:first-of-type thead th")
    index = [each.text.strip() for each in heads].index(name)
    rows = page.find_elements("css selector", "#results .table:first-of-type tbody tr")[:2]
    return [row.find_elements("css selector", "th, td")[index].text for row in rows]


def head(page, name):
    buttons = page.find_elements("css selector", "#results table:first-of-type thead button")
    return next(each for each in buttons if each.text.strip() == name)


def test_a_column_is_sorted_by_a_click_and_turned_by_the_next(page):
    click(page, head(page, "ms"))
    assert column(page, "ms") == ["300", "20"]
    assert head(page, "ms").find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    click(page, head(page, "ms"))
    assert column(page, "ms") == ["20", "300"]
    click(page, head(page, "recipe"))
    assert column(page, "recipe") == ["m/large", "m/quick"]
    assert head(page, "ms").find_element("xpath", "..").get_attribute("aria-sort") == "none"


def test_a_column_is_sorted_by_the_keyboard_too(page):
    head(page, "peak MB").send_keys("\ue007")  # Enter
    assert column(page, "peak MB") == ["2000", "1000"]


def test_dark_is_a_click_away_and_stays(page):
    def background() -> str:
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    button = find(page, "#theme")
    before, was = background(), button.get_attribute("aria-pressed")
    button.click()
    after = background()
    assert after != before
    assert button.get_attribute("aria-pressed") != was
    page.refresh()
    assert background() == after


def test_a_runs_cases_open_with_pictures_that_are_there(page):
    first, second, *_ = page.find_elements("css selector", "details.run")
    assert not first.find_element("css selector", ".case img").is_displayed()
    click(page, first.find_element("css selector", "summary"))
    click(page, second.find_element("css selector", "summary"))
    image = first.find_element("css selector", ".case img")
    page.execute_script("arguments[0].scrollIntoView()", image)
    assert image.is_displayed()
    for _ in range(50):
        if page.execute_script("return arguments[0].naturalWidth", image):
            break
        time.sleep(0.1)
    assert page.execute_script("return arguments[0].naturalWidth", image) == 64
    box = first.find_element("css selector", ".boxes")
    assert box.is_displayed()
    click(page, find(page, "#boxes"))
    assert not box.is_displayed()


def test_runs_are_found_by_name(page):
    find(page, "#filter").send_keys("quick plate")
    shown = [each for each in page.find_elements("css selector", ".run") if each.is_displayed()]
    assert [each.find_element("css selector", ".name").text for each in shown] == [
        "m/quick · plate · seed 0"
    ]
    assert find(page, "#count").text == "1 of 4 runs"


def test_the_page_never_scrolls_sideways(page):
    for each in page.find_elements("css selector", "summary"):
        click(page, each)
    widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scrolled, seen = page.execute_script(widths)
    assert scrolled <= seen
