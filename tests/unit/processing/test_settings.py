import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Annotated, Any, Literal
from urllib.parse import quote, quote_plus

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tandem.processing import TaskContext, processor
from tandem.processing.processor import NotAProcessor
from tandem.processing.settings import BadSettings, make, masked, read_texts
from tandem.text import error_text

VALUE = "s3cr3t-v4lue"
"""Every value of these tests: it is in nothing that is told."""


class Bank(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    bank_key: SecretStr
    bank_seconds: float = 20
    bank_hosts: Json[list[str]] = Field(default_factory=list)
    bank_dry_run: bool = False


class Data(BaseModel):
    text: str = ""


def test_settings_are_made_of_texts_by_their_names_in_capitals() -> None:
    texts = {"BANK_KEY": "k", "BANK_SECONDS": "2.5", "BANK_HOSTS": '["a"]', "BANK_DRY_RUN": "true"}
    expected = Bank(bank_key=SecretStr("k"), bank_seconds=2.5, bank_dry_run=True)
    expected.bank_hosts = ["a"]
    assert make(Bank, texts) == expected


def test_a_model_is_given_its_own_names_alone() -> None:
    seen: list[Any] = []

    class Own(BaseModel):
        model_config = ConfigDict(extra="allow")

        bank_key: str

        @model_validator(mode="before")
        @classmethod
        def _note(cls, given: Any) -> Any:
            seen.append(given)
            return given

    made = make(Own, {"BANK_KEY": "k", "OTHER_KEY": VALUE, "bank_key": VALUE})
    assert isinstance(made, Own)
    assert made.model_dump() == {"bank_key": "k"}
    assert seen == [{"bank_key": "k"}]


def test_a_field_with_an_alias_is_set_by_its_own_name() -> None:
    class Aliased(BaseModel):
        bank_key: str = Field(alias="other")
        bank_url: str = Field(validation_alias=AliasChoices("a", "b"))

    made = make(Aliased, {"BANK_KEY": "k", "BANK_URL": "u", "OTHER": VALUE, "A": VALUE})
    assert isinstance(made, Aliased)
    assert (made.bank_key, made.bank_url) == ("k", "u")
    assert make(Aliased, {"OTHER": VALUE}) == ["BANK_KEY is missing", "BANK_URL is missing"]


def test_an_empty_setting_is_as_one_that_is_missing() -> None:
    assert make(Bank, {"BANK_KEY": "", "BANK_SECONDS": ""}) == ["BANK_KEY is missing"]


def test_all_that_is_missing_or_wrong_is_told_by_its_name() -> None:
    texts = {"BANK_SECONDS": VALUE, "BANK_HOSTS": VALUE, "BANK_DRY_RUN": VALUE}
    assert make(Bank, texts) == [
        "BANK_KEY is missing",
        "BANK_SECONDS is wrong (float_parsing)",
        "BANK_HOSTS is wrong (json_invalid)",
        "BANK_DRY_RUN is wrong (bool_parsing)",
    ]


def _quoting(value: str) -> str:
    raise ValueError(f"never {value}")


def _typing(value: str) -> str:
    raise RuntimeError(f"never {value}")


def _custom(value: str) -> str:
    raise PydanticCustomError(f"never_{value}", "never {value}", {"value": value})  # type: ignore[arg-type]


class Quoting(BaseModel):
    bank_key: Annotated[str, AfterValidator(_quoting)]


class Raising(BaseModel):
    bank_key: Annotated[str, AfterValidator(_typing)]


class Custom(BaseModel):
    bank_key: Annotated[str, AfterValidator(_custom)]


class Leaving(BaseModel):
    bank_key: str

    @model_validator(mode="after")
    def _leave(self) -> "Leaving":
        raise SystemExit(self.bank_key)


class Keyed(BaseModel):
    bank_key: Json[dict[str, int]]


class Chosen(BaseModel):
    bank_key: Literal["a", "b"]


class Whole(BaseModel):
    bank_key: str

    @model_validator(mode="after")
    def _never(self) -> "Whole":
        raise ValueError(f"never {self.bank_key}")


@pytest.mark.parametrize(
    ("model", "value", "said"),
    [
        (Quoting, VALUE, "BANK_KEY is wrong (value_error)"),
        (Raising, VALUE, "Raising cannot be made (RuntimeError)"),
        (Leaving, VALUE, "Leaving cannot be made (SystemExit)"),
        (Custom, VALUE, "BANK_KEY is wrong (value_error)"),
        (Keyed, json.dumps({VALUE: VALUE}), "BANK_KEY is wrong (int_parsing)"),
        (Chosen, VALUE, "BANK_KEY is wrong (literal_error)"),
        (Whole, VALUE, "Whole as a whole is wrong (value_error)"),
    ],
)
def test_nothing_that_is_told_holds_a_value(model: type[BaseModel], value: str, said: str) -> None:
    assert make(model, {"BANK_KEY": value}) == [said]


def test_a_secret_is_a_json_object() -> None:
    body = {"A": "a", "N": 5, "B": True, "L": ["x"], "EMPTY": "", "NONE": None}
    assert read_texts(json.dumps(body)) == {"A": "a", "N": "5", "B": "true", "L": '["x"]'}
    assert read_texts("") == {}


@pytest.mark.parametrize("body", [VALUE, f'["{VALUE}"]', "[" * 100_000, "null"])
def test_a_secret_that_is_no_json_object_is_refused_without_a_word_of_it(body: str) -> None:
    with pytest.raises(BadSettings, match=r"holds no JSON object$"):
        read_texts(body)


def test_secrets_are_masked_in_a_text() -> None:
    settings = Bank(bank_key=SecretStr(VALUE))
    assert (
        masked(f"GET /?key={VALUE}: 401 {VALUE}", settings)
        == "GET /?key=**********: 401 **********"
    )
    assert masked("a b c", Bank(bank_key=SecretStr("b"))) == "a b c"


ODD = 'k3y a/b+c&é="q\\\x1b'


@pytest.mark.parametrize(
    "written",
    [
        quote(ODD),
        quote(ODD, safe=""),
        quote_plus(ODD),
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        repr(ODD),
        repr(ODD.encode()),
        b64encode(ODD.encode()).decode(),
        urlsafe_b64encode(ODD.encode()).decode(),
        error_text(ValueError(ODD), 1000),
    ],
)
def test_a_secret_is_masked_as_addresses_and_documents_write_it(written: str) -> None:
    shown = masked(f"401: {written}!", Bank(bank_key=SecretStr(ODD)))
    assert re.fullmatch(r"""401: b?['"]?\*{10}=*['"]?!""", shown)


def test_a_secret_of_several_lines_is_masked_as_a_whole_and_by_line() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"
    settings = Bank(bank_key=SecretStr(pem))
    for text in (pem, str(KeyError(pem)), "bad line: MIIEvQIBADANBg", pem.replace("\n", "\r\n")):
        assert "MIIE" not in masked(text, settings)
    assert masked("{\n}", Bank(bank_key=SecretStr("{\n}\nabcdefgh"))) == "{\n}"


class Account(BaseModel):
    key: SecretStr


class Deep(BaseModel):
    account: Json[Account]
    accounts: Json[dict[str, list[Account]]]
    raw: SecretBytes
    pin: Secret[int]
    none: SecretStr | None = None


def test_secrets_of_every_kind_are_masked_wherever_they_are_in_a_model() -> None:
    texts = {
        "ACCOUNT": '{"key": "the-first"}',
        "ACCOUNTS": '{"eu": [{"key": "the-second"}]}',
        "RAW": "the-third",
        "PIN": "471147",
    }
    settings = make(Deep, texts)
    assert isinstance(settings, Deep)
    said = masked("the-first the-second the-third 471147", settings)
    assert said == " ".join(["**********"] * 4)


def test_a_secret_that_is_a_part_of_another_leaves_no_part_of_that() -> None:
    class Pair(BaseModel):
        part: SecretStr
        whole: SecretStr

    pair = Pair(part=SecretStr("abcd"), whole=SecretStr("abcdef"))
    assert masked("abcdef abcd", pair) == "********** **********"


def _typed(data: Data, ctx: TaskContext[Bank]) -> Data:
    return Data(text=ctx.settings.bank_key.get_secret_value())


def _loose(data: Data, ctx: TaskContext) -> Data:
    return data


def test_a_processor_declares_the_model_of_its_settings() -> None:
    assert processor("work", settings=Bank)(_typed).settings is Bank
    assert processor("work", settings=Bank)(_loose).settings is Bank
    assert processor("work")(_loose).settings is None


@pytest.mark.parametrize("declared", [None, Data])
def test_a_context_of_another_model_than_the_declared_one_is_refused(declared: Any) -> None:
    with pytest.raises(NotAProcessor, match=r"work: say settings=Model of the model that its"):
        processor("work", settings=declared)(_typed)


class Root(RootModel[str]):
    pass


class Mixed(BaseModel):
    BankKey: str


@pytest.mark.parametrize(
    ("model", "flaw"),
    [
        (dict, "it is no Pydantic model"),
        (Bank(bank_key=SecretStr("k")), "it is no Pydantic model"),
        (Root, "it is a root model"),
        (Mixed, "its field 'BankKey' is not of lower-case letters"),
    ],
)
def test_a_model_that_settings_cannot_be_made_of_is_refused(model: Any, flaw: str) -> None:
    with pytest.raises(NotAProcessor, match=flaw):
        processor("work", settings=model)(_loose)
