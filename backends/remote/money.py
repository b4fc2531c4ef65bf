"""What tokens cost, in whole numbers, so that sums are exact. No ledger, no currency names."""

from dataclasses import dataclass
from decimal import Decimal

UNIT = 10**12  # costs are whole numbers of 1 / UNIT of the currency, as in `Usage.cost`
_MILLION = 10**6


@dataclass(frozen=True)
class Prices:
    """The price of one token read and of one written, in 1 / UNIT of the currency."""

    input: int
    output: int
    is_known: bool = True

    @classmethod
    def per_million(cls, input: float | None, output: float | None) -> "Prices":
        """Prices as providers print them, for 10^6 tokens, taken at their decimal digits.

        None: nobody knows. Tokens of that kind then count as free, and `is_known` is false.

        Raises:
            ValueError: a price is negative or not finite.
        """
        return cls(_each(input), _each(output), input is not None and output is not None)

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """In 1 / UNIT of the currency."""
        return self.input * tokens_in + self.output * tokens_out


def _each(per_million: float | None) -> int:
    price = Decimal(str(per_million or 0))
    if not price.is_finite() or price < 0:
        raise ValueError(f"price {per_million} of 10^6 tokens: a number not below 0 is wanted")
    return int((price * (UNIT // _MILLION)).to_integral_value())


FREE = Prices(0, 0)
