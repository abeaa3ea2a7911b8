"""The CSV files that TABLE reads: orders of a shop, the same bytes every time."""

import random
from datetime import date, timedelta
from pathlib import Path

CITIES = 200
DAYS = 730
NOTES = 5_000


def write_orders(target: Path, rows: int) -> None:
    """Write orders: day, city, whole numbers, money with two decimals, a rate, a note; some 60 bytes each."""
    pick = random.Random(1).randrange
    days = [(date(2023, 1, 1) + timedelta(days=number)).isoformat() for number in range(DAYS)]
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write("id,day,city,qty,price,rate,note\n")
        for number in range(rows):
            file.write(
                f"{number},{days[pick(DAYS)]},City {pick(CITIES)},{pick(1, 100)},{pick(1, 900)}.{pick(100):02},"
                f"0.{pick(1, 99_999) * 10 + 1},note {pick(NOTES)} of somebody\n"
            )


def write_cities(target: Path) -> None:
    """Write the table that is joined: each city with its country."""
    lines = [f"City {number},Country {number % 17}" for number in range(CITIES)]
    target.write_text("\n".join(["city,country", *lines]) + "\n", encoding="utf-8")
