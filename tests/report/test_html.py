"""The HTML reports in a real browser: they render, ask for nothing, sort and filter, and obey no image."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

import vmrescue
from support.browser import browser, dark, show
from support.images import sample
from vmrescue.fleet.outputs import open_output
from vmrescue.fleet.rows import COLUMNS
from vmrescue.report import scan_page
from vmrescue.report.free_map import used_shares
from vmrescue.report.html import diagnose_as_page, diagnosis_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BytesIO
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

EVIL = '</script><script>document.title="evil"</script><img src=x onerror="document.title=\'evil\'">'


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    with browser() as running:
        yield running


def texts(driver: WebDriver, selector: str) -> list[str]:
    return [element.text for element in driver.find_elements(By.CSS_SELECTOR, selector)]


def contrast(driver: WebDriver) -> float:
    """Of the page's text against its ground, as WCAG counts it."""
    script = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    lights = []
    for colour in driver.execute_script(script):
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_a_diagnosis_is_one_page_with_every_finding_and_the_disk_to_scale(
    driver: WebDriver, gen2_broken: Path, tmp_path: Path
) -> None:
    diagnosis, page = diagnose_as_page(gen2_broken, vmrescue.Policy.azure())
    file = tmp_path / "report.html"
    file.write_text(page)
    show(driver, file)
    assert driver.find_element(By.TAG_NAME, "h1").text == str(gen2_broken)
    headings = texts(driver, "article h3")
    assert headings == [f"{finding.severity} {finding.check}" for finding in diagnosis.findings]
    assert f"vmrescue repair --only bad-memory {gen2_broken}" in texts(driver, "article pre")
    assert "0x1f3a0 0x1f3a1 0x7ff00" in driver.find_element(By.TAG_NAME, "body").text
    widths = [part.size["width"] for part in driver.find_elements(By.CSS_SELECTOR, ".disk .part")]
    sizes = [volume["size"] for volume in diagnosis.volumes]
    assert len(widths) == len(sizes)
    assert max(widths) / sum(widths) == pytest.approx(max(sizes) / sum(sizes), abs=0.02)


def test_the_free_space_map_shows_as_much_used_as_the_volume_has(gen1_broken: Path) -> None:
    diagnosis, page = diagnose_as_page(gen1_broken, vmrescue.Policy.azure())
    for volume in diagnosis.volumes:
        heading = page.index(f"Free space of partition {volume['partition']}")
        shares = page[heading : page.index("</svg>", heading)].split("<rect")[1:]
        used = sum(int(cell.split("--share: ")[1].split("%")[0]) if "--share" in cell else 0 for cell in shares)
        expected = 1 - volume["free"] / volume["size"]
        assert used / 100 / len(shares) == pytest.approx(expected, abs=0.02)


def test_shares_of_a_bitmap_are_counted_to_its_last_cluster() -> None:
    from io import BytesIO

    def shares(bits: list[int], bytes_in_part: int) -> list[float]:
        number = sum(bit << index for index, bit in enumerate(bits))
        bitmap: BytesIO = BytesIO(number.to_bytes(-(-len(bits) // 64) * 8, "little"))
        return list(used_shares(bitmap, len(bits), bytes_in_part))

    chance = random.Random(7)
    bits = [chance.randrange(2) for _ in range(1003)]
    for bytes_in_part in (1, 3, 16, 1000):
        step = bytes_in_part * 8
        parts = [bits[start : start + step] for start in range(0, len(bits), step)]
        assert shares(bits, bytes_in_part) == pytest.approx([sum(part) / len(part) for part in parts])


def test_pages_are_readable_light_dark_and_on_paper(driver: WebDriver, gen2_broken: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(diagnosis_page(vmrescue.diagnose(gen2_broken)))
    show(driver, file)
    grounds = []
    for on in (False, True):
        dark(driver, on)
        grounds.append(driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
        assert contrast(driver) >= 7  # WCAG AAA
    assert grounds[0] != grounds[1]
    paper = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert paper.startswith(b"%PDF")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_a_scan_is_a_table_that_sorts_and_filters(driver: WebDriver, tmp_path: Path) -> None:
    images = [sample(name, tmp_path) for name in ("gen1-broken", "gen2-broken", "gen2-healthy")]
    page = tmp_path / "scan.html"
    output = open_output(page, resume=False)
    for result in vmrescue.scan([*images, tmp_path / "missing.vhd"]):
        output.add(result.to_dict())
    output.close()
    show(driver, page)
    assert [driver.find_element(By.ID, f"count-{name}").text for name in ("healthy", "findings", "error")] == list(
        "121"
    )
    first = "#images tbody td:first-child"
    names = sorted(map(str, [*images, tmp_path / "missing.vhd"]))
    assert texts(driver, first) == names
    driver.find_element(By.CSS_SELECTOR, "th[data-key=image] button").click()
    assert texts(driver, first) == names[::-1]
    driver.find_element(By.CSS_SELECTOR, "th[data-key=critical] button").click()
    assert texts(driver, first)[-1] == str(tmp_path / "missing.vhd")  # what is not known comes last
    Select(driver.find_element(By.ID, "status")).select_by_visible_text("findings")
    assert sorted(texts(driver, first)) == [str(images[0]), str(images[1])]
    search = driver.find_element(By.ID, "text")
    search.send_keys("vm-GEN1")
    assert texts(driver, first) == [str(images[0])]
    search.clear()
    search.send_keys("no such thing")
    assert texts(driver, first) == []
    assert driver.find_element(By.ID, "shown").text == "0 of 4 images"
    assert driver.get_log("browser") == []


def row(**values: Any) -> dict[str, Any]:
    known = {"image": "a.vhd", "status": "findings", "seconds": 0.1, "bytes_read": 1, "checks": []}
    return dict.fromkeys(COLUMNS) | known | values


def test_what_an_image_says_of_itself_cannot_become_a_part_of_the_page(
    driver: WebDriver, gen2_healthy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    diagnosis = vmrescue.diagnose(gen2_healthy)
    windows = (diagnosis.windows or {}) | {"computer_name": EVIL, "product": EVIL}
    volumes = [volume | {"label": EVIL, "letter": EVIL} for volume in diagnosis.volumes]
    evil = replace(diagnosis, image=EVIL, windows=windows, volumes=volumes, warnings=[EVIL])
    file.write_text(diagnosis_page(evil))
    show(driver, file)
    assert "evil" not in driver.title.removeprefix(f"{EVIL}: vmrescue")
    assert driver.find_elements(By.TAG_NAME, "img") == []
    evil_row = row(image=EVIL, computer_name=EVIL, error=EVIL + "\u2028<!--", checks=[EVIL])
    with file.open("wb") as stream:
        scan_page.write([evil_row], stream)
    show(driver, file)
    assert driver.title == "vmrescue: scan of images"
    assert driver.find_elements(By.TAG_NAME, "img") == []
    assert texts(driver, "#images tbody td:first-child") == [EVIL]
    with file.open("rb") as stream:
        assert list(scan_page.read(stream)) == [evil_row]


def test_a_page_of_20000_images_is_written_in_little_memory_and_still_filters(
    driver: WebDriver, tmp_path: Path
) -> None:
    page = tmp_path / "scan.html"
    with page.open("wb") as stream:
        rows = (row(image=f"disk-{n}.vhd", os_free=n << 20, checks=["bad-memory"]) for n in range(20_000))
        scan_page.write(rows, stream)
    show(driver, page)
    assert driver.find_element(By.ID, "shown").text == "1000 of 20000 images, 20000 match"
    driver.find_element(By.ID, "text").send_keys("disk-19999")
    assert texts(driver, "#images tbody td:first-child") == ["disk-19999.vhd"]
    driver.find_element(By.ID, "text").clear()
    driver.find_element(By.CSS_SELECTOR, "th[data-key=os_free] button").click()
    assert texts(driver, "#images tbody tr:first-child td:first-child") == ["disk-0.vhd"]
