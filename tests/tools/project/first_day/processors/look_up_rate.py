"""What a currency is worth, by a service that takes few requests."""

from pydantic import BaseModel, Field, SecretStr

from tandem.processing import Permanent, Retry, RetryAfter, TaskContext, processor


class RatesSettings(BaseModel):
    rates_key: SecretStr
    rates_url: str = "https://rates.example.com"


class Input(BaseModel):
    currency: str = Field(pattern="^[A-Z]{3}$")


class Output(BaseModel):
    euros: float


@processor("look-up-rate", retry=Retry(attempts=8), settings=RatesSettings)
async def look_up_rate(data: Input, ctx: TaskContext[RatesSettings]) -> Output:
    """Look up what a currency is worth."""
    from httpx2 import AsyncClient

    key = ctx.settings.rates_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"}
    async with AsyncClient(base_url=ctx.settings.rates_url, headers=headers) as service:
        answer = await service.get(f"/latest/{data.currency}")
    if answer.status_code == 429:
        raise RetryAfter(int(answer.headers["Retry-After"]), "the service takes no more now")
    if answer.is_client_error:
        raise Permanent(f"the service answers {answer.status_code}")
    answer.raise_for_status()
    return Output.model_validate_json(answer.content)
