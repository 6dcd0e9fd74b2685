"""The HTML reports in a real browser: they render, ask for nothing, sort and filter, and obey no image."""

from __future__ import annotations

import base64
import random
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

import vmrescue
from support.browser import axe_violations, browser, dark, show
from support.images import sample
from vmrescue.checks.finding import SEVERITIES
from vmrescue.fleet import scan_page
from vmrescue.fleet.outputs import open_output
from vmrescue.fleet.rows import COLUMNS
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


def names(driver: WebDriver) -> list[str]:
    """The images of the table's rows, in their order."""
    script = "return [...document.querySelectorAll('#images .image')].map(each => each.textContent)"
    found: list[str] = driver.execute_script(script)
    return found


COLOURS = """
const seen = new Map();
const told = each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
const style = each => getComputedStyle(each);
for (const element of document.body.querySelectorAll("*")) {
  if (!told(element) || !element.getClientRects().length) continue;
  let ground = element;
  while (ground && style(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
  const pair = [style(element).color, style(ground ?? document.body).backgroundColor];
  seen.set(pair.join(), [...pair, element.className + ": " + element.textContent.slice(0, 40)]);
}
return [...seen.values()];
"""


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrasts(driver: WebDriver) -> dict[str, float]:
    """Of each kind of text against its ground, as WCAG counts it."""
    found = {}
    for colour, ground, text in driver.execute_script(COLOURS):
        lights = luminance(colour), luminance(ground)
        found[text] = (max(lights) + 0.05) / (min(lights) + 0.05)
    return found


CUT = """
const hides = each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible";
const sticks_out = each => each.getBoundingClientRect().right > innerWidth + 1;
const cut = [...document.body.querySelectorAll("*")].filter(each =>
  each.getClientRects().length && !each.closest("svg") && (hides(each) || sticks_out(each)));
return [document.documentElement.scrollWidth > innerWidth, cut.map(each => each.outerHTML.slice(0, 200))];
"""


@contextmanager
def paper(driver: WebDriver, width: int, height: int) -> Iterator[None]:
    """The page as it is laid out for a sheet, of so many CSS pixels between its margins."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def printed(driver: WebDriver) -> bytes:
    options = {"preferCSSPageSize": True, "printBackground": True}
    return base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", options)["data"])


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_a_diagnosis_is_one_page_with_every_finding_and_the_disk_to_scale(
    driver: WebDriver, gen2_broken: Path, tmp_path: Path
) -> None:
    diagnosis, page = diagnose_as_page(gen2_broken, vmrescue.Policy.azure())
    file = tmp_path / "report.html"
    file.write_text(page)
    show(driver, file)
    assert driver.find_element(By.TAG_NAME, "h1").text == str(gen2_broken)
    assert {heading.split()[1] for heading in texts(driver, "article h3")} == {
        each.check for each in diagnosis.findings
    }
    assert sorted(texts(driver, ".summary")) == sorted(finding.summary for finding in diagnosis.findings)
    assert f"vmrescue repair --only bad-memory {gen2_broken}" in texts(driver, "article pre")
    assert "0x1f3a0 0x1f3a1 0x7ff00" in driver.find_element(By.TAG_NAME, "body").text
    widths = [part.size["width"] for part in driver.find_elements(By.CSS_SELECTOR, ".disk .part")]
    sizes = [volume.size for volume in diagnosis.volumes]
    assert len(widths) == len(sizes)
    assert max(widths) / sum(widths) == pytest.approx(max(sizes) / sum(sizes), abs=0.02)


def test_the_free_space_map_shows_as_much_used_as_the_volume_has(gen1_broken: Path) -> None:
    diagnosis, page = diagnose_as_page(gen1_broken, vmrescue.Policy.azure())
    for volume in diagnosis.volumes:
        heading = page.index(f"Free space of partition {volume.partition}")
        shares = page[heading : page.index("</svg>", heading)].split("<rect")[1:]
        used = sum(int(cell.split("--share: ")[1].split("%")[0]) if "--share" in cell else 0 for cell in shares)
        expected = 1 - (volume.free or 0) / volume.size
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
    ground = "return getComputedStyle(document.body).backgroundColor"
    assert legible(driver, ground)[0] != legible(driver, ground)[1]
    with paper(driver, 700, 1000):
        assert driver.execute_script(ground) == "rgb(255, 255, 255)"
        assert min(contrasts(driver).values()) >= 4.5
        assert driver.execute_script(CUT) == [False, []]
    assert pages(printed(driver)) <= 5


def legible(driver: WebDriver, script: str) -> list[str]:
    """What a script says in light and in dark, where each text stands out from its ground as WCAG AA asks for."""
    said = []
    for on in (False, True):
        dark(driver, on)
        said.append(driver.execute_script(script))
        found = contrasts(driver)
        assert min(found.values()) >= 4.5, sorted(found.items(), key=lambda item: item[1])[:3]
    return said


def test_the_worst_comes_first_below_a_list_of_contents_and_the_pictures_of_the_disk(
    driver: WebDriver, gen1_broken: Path, tmp_path: Path
) -> None:
    diagnosis, page = diagnose_as_page(gen1_broken, vmrescue.Policy.azure())
    file = tmp_path / "report.html"
    file.write_text(page)
    show(driver, file)
    order = ["critical", "warning", "advice"]
    expected = [each.check for severity in order for each in diagnosis.findings if each.severity == severity]
    assert texts(driver, ".contents a") == expected  # in the order of the procedure where they are as bad
    assert [heading.split()[1] for heading in texts(driver, "article h3")] == list(dict.fromkeys(expected))
    ids = driver.execute_script("return [...document.querySelectorAll('section')].map(each => each.id)")
    assert ids == ["disk", "free-space", "findings"]
    driver.find_element(By.LINK_TEXT, "crash-dump").click()
    assert driver.execute_script("return document.querySelector(':target h3').textContent") == "advice crash-dump"


@pytest.mark.parametrize("kind", ["diagnosis", "scan"])
def test_a_page_is_accessible_light_and_dark_and_its_commands_can_be_copied(
    driver: WebDriver, gen1_broken: Path, tmp_path: Path, kind: str
) -> None:
    page = tmp_path / "page.html"
    if kind == "diagnosis":
        page.write_text(diagnose_as_page(gen1_broken, vmrescue.Policy.azure())[1])
    else:
        output = open_output(page, resume=False, sources=["here"])
        for result in vmrescue.scan([gen1_broken, tmp_path / "missing.vhd"]):
            output.add(result.to_dict())
        output.close()
    show(driver, page)
    if kind == "scan":
        driver.find_element(By.CSS_SELECTOR, ".opener").click()
    landmarks = "return [...document.body.children].map(each => each.tagName).filter(each => !/SCRIPT|^P$/.test(each))"
    assert driver.execute_script(landmarks) == ["HEADER", "MAIN", "FOOTER"]
    for on in (False, True):
        dark(driver, on)
        assert axe_violations(driver) == []
    boxes = driver.find_elements(By.CSS_SELECTOR, ".command")
    assert [box.find_element(By.TAG_NAME, "button").text for box in boxes] == ["Copy"] * len(boxes)
    driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    wanted = str(boxes[-1].find_element(By.CSS_SELECTOR, "pre, code").text)
    boxes[-1].find_element(By.TAG_NAME, "button").click()
    WebDriverWait(driver, 10).until(lambda driver: driver.find_element(By.ID, "copied").get_attribute("textContent"))
    assert driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == wanted
    assert driver.get_log("browser") == []


def test_a_checks_findings_share_a_card_and_its_command(driver: WebDriver, gen1_broken: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(diagnosis_page(vmrescue.diagnose(gen1_broken)))
    show(driver, file)
    assert len(driver.find_elements(By.CSS_SELECTOR, "#check-crash-dump .finding")) == 2
    commands = texts(driver, "article pre")
    assert len(commands) == len(set(commands))
    assert "`" not in driver.find_element(By.TAG_NAME, "body").text
    assert any(text.startswith("vmrescue cleanup") for text in texts(driver, "#check-free-space pre"))
    values = texts(driver, "#check-crash-dump .finding:nth-of-type(1) .evidence table tr")
    assert values == [
        "value found wanted",
        "CrashDumpEnabled REG_DWORD 7 REG_DWORD 1",
        "NMICrashDump (absent) REG_DWORD 1",
    ]
    assert "ControlSet001 (in use), ControlSet002" in texts(driver, ".facts dd")
    keys = driver.execute_script("return [...document.querySelectorAll('.evidence dd')].map(each => each.offsetLeft)")
    assert len(set(keys)) == 1
    parts = driver.find_elements(By.CSS_SELECTOR, ".disk .part")
    assert [part.text for part in parts] == ["", "2 C:"]  # the first is too narrow for a label
    assert "partition 1" in str(parts[0].get_attribute("title"))


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
    paths = sorted(map(str, [*images, tmp_path / "missing.vhd"]))
    assert names(driver) == paths
    driver.find_element(By.CSS_SELECTOR, "th[data-key=image] button").click()
    assert names(driver) == paths[::-1]
    driver.find_element(By.CSS_SELECTOR, "th[data-key=critical] button").click()
    assert names(driver)[-1] == str(tmp_path / "missing.vhd")  # what is not known comes last
    Select(driver.find_element(By.ID, "status")).select_by_visible_text("findings")
    assert sorted(names(driver)) == [str(images[0]), str(images[1])]
    search = driver.find_element(By.ID, "text")
    search.send_keys("vm-GEN1")
    assert names(driver) == [str(images[0])]
    search.clear()
    search.send_keys("no such thing")
    assert names(driver) == []
    assert driver.find_element(By.ID, "shown").text == "0 of 4 images"
    assert driver.get_log("browser") == []


def row(**values: Any) -> dict[str, Any]:
    known = {"image": "a.vhd", "status": "findings", "seconds": 0.1, "bytes_read": 1, "checks": []}
    return dict.fromkeys(COLUMNS) | known | values


CHECKS = ["bad-memory", "crash-dump", "fragmentation", "free-space", "hive-log", "memory-limit", "page-file"]
CHECKS += ["serial-console", "volume-state"]
TELLING = "NTFS at byte 34603008 (0x2100000): expected a boot sector, found " + "00 " * 200


def large_row(number: int) -> dict[str, Any]:
    """As wide as a row may be expected to get; every tenth image could not be read."""
    image = f"/srv/evidence/rack-{number % 10}/hosts/SQL-{number:04}-os-disk.vhd"
    if number % 10 == 0:
        return row(image=image, status="error", error=TELLING)
    return row(
        image=image,
        checks=CHECKS,
        computer_name="WIN-ABCDEF12345",
        product="Windows Server 2019 Datacenter",
        build="17763.5820",
        generation=2,
        disk_format="differencing VHD",
        disk_size=127 << 30,
        os_free=1023 << 20,
        critical=2,
        warning=14,
        advice=3,
        findings=[
            {"check": check, "severity": "advice", "summary": f"{check} is wrong", "commands": [f"mend {check}"]}
            for check in CHECKS
        ],
    )


@pytest.fixture
def large_scan(tmp_path: Path) -> Path:
    page = tmp_path / "scan.html"
    with page.open("wb") as stream:
        scan_page.write(map(large_row, range(1000)), stream, scan_page.Scan(("/srv/evidence",)))
    return page


def test_all_columns_of_a_scan_fit_a_window_of_1400_pixels_a_line_an_image(driver: WebDriver, large_scan: Path) -> None:
    driver.set_window_size(1400, 1000)
    show(driver, large_scan)
    assert driver.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    heads = driver.find_elements(By.CSS_SELECTOR, "#images th")
    assert len(heads) == 13 + len(CHECKS)
    assert all(head.rect["x"] + head.rect["width"] <= 1400 for head in heads)
    line = driver.find_element(By.CSS_SELECTOR, "#images tr.row:has(td.check)")
    assert line.rect["height"] < 30
    assert line.find_element(By.CSS_SELECTOR, "td").get_attribute("title") == large_row(1)["image"]
    driver.execute_script("scrollTo(0, 9000)")
    assert driver.execute_script("return document.querySelector('#images th').getBoundingClientRect().top") == 0
    assert driver.find_elements(By.CSS_SELECTOR, "#histogram .bar") != []
    assert texts(driver, "#histogram div")[0] == "0"  # and no bar
    assert "/srv/evidence · began 20" in driver.find_element(By.ID, "scan").text
    legible(driver, "return ''")


def test_an_error_is_told_in_full_in_the_room_of_what_is_not_known(driver: WebDriver, large_scan: Path) -> None:
    driver.set_window_size(1400, 1000)
    show(driver, large_scan)
    Select(driver.find_element(By.ID, "status")).select_by_visible_text("error")
    error = driver.find_element(By.CSS_SELECTOR, "#images td.error")
    assert error.text == TELLING.strip()
    assert error.rect["width"] > 700
    assert driver.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", error)


def test_a_row_opens_to_show_its_findings_and_their_commands(driver: WebDriver, tmp_path: Path) -> None:
    image = sample("gen2-broken", tmp_path)
    page = tmp_path / "scan.html"
    output = open_output(page, resume=False, sources=["here"])
    (result,) = vmrescue.scan([image])
    output.add(result.to_dict())
    output.close()
    show(driver, page)
    assert driver.find_elements(By.CSS_SELECTOR, ".opened") == []  # not made before it is asked for
    driver.find_element(By.CSS_SELECTOR, ".opener").click()
    diagnosis = vmrescue.diagnose(image)
    shown = driver.find_element(By.CSS_SELECTOR, ".opened").text
    assert all(finding.summary in shown for finding in diagnosis.findings)
    assert texts(driver, ".opened .badge") == sorted(texts(driver, ".opened .badge"), key=SEVERITIES.index)
    commands = texts(driver, ".opened code")
    assert f"vmrescue repair --only bad-memory {image}" in commands
    assert len(commands) == len(set(commands))
    driver.find_element(By.CSS_SELECTOR, "th[data-key=status] button").click()
    assert driver.find_elements(By.CSS_SELECTOR, ".opened") != []  # it stays open when the table is sorted
    driver.find_element(By.CSS_SELECTOR, ".opener").click()
    assert driver.find_elements(By.CSS_SELECTOR, ".opened") == []
    assert driver.get_log("browser") == []


def test_on_paper_a_scan_of_250_images_is_whole_and_repeats_its_header(driver: WebDriver, tmp_path: Path) -> None:
    page = tmp_path / "scan.html"
    with page.open("wb") as stream:  # a thousand take Chromium half a minute, and say no more
        scan_page.write(map(large_row, range(250)), stream, scan_page.Scan(("/srv/evidence",)))
    show(driver, page)
    with paper(driver, 980, 740):  # Letter, landscape
        assert driver.execute_script(CUT) == [False, []]
        assert not driver.find_element(By.TAG_NAME, "form").is_displayed()
        style = "const s = getComputedStyle(document.querySelector('#images thead')); return [s.display, s.breakInside]"
        assert driver.execute_script(style) == ["table-header-group", "avoid"]
        button = driver.find_element(By.CSS_SELECTOR, "#images th button")
        assert button.value_of_css_property("display") == "contents"  # else Chromium prints the header only once
    assert 3 <= pages(printed(driver)) <= 20


def test_a_scan_of_no_image_is_a_page_too(driver: WebDriver, tmp_path: Path) -> None:
    with (tmp_path / "scan.html").open("wb") as stream:
        scan_page.write([], stream)
    show(driver, tmp_path / "scan.html")
    assert driver.find_element(By.ID, "shown").text == "0 of 0 images"


def test_what_an_image_says_of_itself_cannot_become_a_part_of_the_page(
    driver: WebDriver, gen2_healthy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    diagnosis = vmrescue.diagnose(gen2_healthy)
    assert diagnosis.windows is not None
    windows = replace(diagnosis.windows, computer_name=EVIL, product=EVIL)
    volumes = [replace(volume, label=EVIL, letter=EVIL) for volume in diagnosis.volumes]
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
    assert names(driver) == [EVIL]
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
    assert names(driver) == ["disk-19999.vhd"]
    driver.find_element(By.ID, "text").clear()
    driver.find_element(By.CSS_SELECTOR, "th[data-key=os_free] button").click()
    assert names(driver)[0] == "disk-0.vhd"
