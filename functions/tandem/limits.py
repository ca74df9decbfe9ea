"""Every limit that a caller can meet, in one place. `GET /processors` shows them."""

from datetime import timedelta

BODY_BYTES = 5 * 1024 * 1024
"""A request's body. API Gateway takes 10 MB and Lambda 6 MB of JSON with the body inside it."""

JSON_DEPTH = 200
"""How deep the arrays and objects of a body may be nested: what Pydantic reads and writes."""

INVALID_PARTS = 100
"""Parts of an invalid request that its problem names."""

DETAIL_CHARACTERS = 500
"""What a problem says of one part, which may quote it."""

INLINE_BYTES = 256 * 1024
"""An input or output that is kept with the task. A larger one goes to the blob store.
DynamoDB's item limit is 400 KB, input and output together: see `Payloads`."""

ANSWER_BYTES = 4 * 1024 * 1024
"""What is answered in one response. A larger output is a redirect to its download. Larger metrics
are compressed. Lambda takes 6 MB, as text in JSON or in base64."""

ANSWER_SERIES = 4000
"""Series of the report windows in one answer, but for its first window: one is some 700 bytes."""

UPLOAD_BYTES = 5 * 1024**3
"""An upload: the most that one S3 POST takes."""

PAGE_TASKS = 100
"""Tasks on one page of a listing."""

PAGE_REPORTS = 100
"""Report windows in one answer. Also the most keys of one BatchGetItem."""

ERROR_CHARACTERS = 1000
"""An error's message as it is kept with the task."""

UPLOAD_LIFETIME = timedelta(hours=1)
"""How long an upload's form may be used."""

UPLOAD_RETENTION = timedelta(days=7)
"""How long an upload is kept: the bucket's lifecycle deletes it then (template.yaml)."""

DOWNLOAD_LIFETIME = timedelta(minutes=5)
"""How long a download's URL may be used."""

PREFER_WAIT_SECONDS = 20.0
"""How long a caller may wait in one request for a task to end: API Gateway gives it 30 s."""

LEASE_MARGIN = timedelta(seconds=5)
"""How long an attempt may still record its end after its deadline."""

LEASE = timedelta(seconds=65)
"""How long an attempt holds its task: enough for the usual time limit of a minute. One that may
take longer is given its whole time, in one more write, before its processor starts."""

DUE_MARGIN = timedelta(minutes=15)
"""How long a queued task may wait for the worker before it counts as overdue. Each time that it is
found so, the margin doubles: a deep backlog is not flooded with messages."""

DUE_DOUBLINGS = 6
"""How often it doubles at the most: to 16 hours."""

SWEEP_TASKS = 250
"""Overdue tasks that one run moves on at most, in each shard of the index."""

BATCH_MESSAGES = 10
"""Messages that a worker is given at once at most: so many may have been in a process that died."""

SWEEP_TIME = timedelta(seconds=15)
"""For how long one run goes on to send tasks whose time has come, in each shard of the index."""

CALLBACK_MARGIN = timedelta(minutes=1)
"""How long after a task's end its callback may still be on its way to the queue."""

CALLBACK_CONNECT_SECONDS = 5.0
"""How long a callback's receiver may take to accept a connection, at each of its addresses."""

CALLBACK_SECONDS = 15.0
"""How long it may then take to answer, in all."""

RUN_AFTER = timedelta(days=5)
"""How far ahead a task may be submitted. Its uploads and its large input live for longer."""

DELETED_OBJECTS = 1000
"""Objects of a task that one request, or one run of the report, deletes at most."""

ATTEMPT_LONGEST = timedelta(minutes=15)
"""How long an attempt's process can live: Lambda's longest timeout. So long after a task's end it
may still store an object that nobody waits for."""

PURGE_TASKS = 50
"""Deleted tasks that one run purges at most, in each shard of the index."""

PURGE_SECONDS = 20.0
"""How long one run purges a shard at most."""

DELETED_KNOWN = timedelta(days=14)
"""How long the id of a deleted task is known as one: as long as a queue can keep a message."""

COPIED_BYTES = 64 * 1024 * 1024
"""What a task is given of another's objects at most, when a kept result answers it."""

LETTERS_HIDDEN = timedelta(seconds=60)
"""How long a redrive keeps the letters that it works on from other readers."""

PAGE_LETTERS = 100
"""Dead letters in one answer, or in one redrive."""

LETTERS_LOOKED_AT = 1000
"""Failed tasks that one answer looks at for those that are wanted."""

BATCH_TASKS = 1000
"""Tasks in one batch submit: recording them takes a third of the API function's time."""

BATCH_SECONDS = 20.0
"""For how long one batch submit begins to record tasks: they must be sent and answered, too."""

BATCH_SEND_SECONDS = 5.0
"""For how long after that it sends them, and looks up what its key made before. What is left then
is swept, or is asked for again: the caller must be answered before the function's time is over."""

KEY_LIFETIME = timedelta(hours=24)
"""How long an idempotency key is remembered."""

KEY_CHARACTERS = 255
"""An idempotency key's length."""

CANCEL_CHECK = timedelta(seconds=1)
"""How often a running attempt looks whether it shall stop."""

REDRIVE_SECONDS = 20.0
"""For how long one redrive begins to redrive letters: the answer names those that are left."""

SETTLE_SECONDS = 3.0
"""What is kept of a function's remaining time to record ends and answer."""

HEALTH_PATIENCE = timedelta(seconds=5)
"""How long the deep health check waits for the table, the queue and the bucket."""

REPORT_GRACE = timedelta(seconds=10)
"""How long after its end a report window stays open for finishes on their way."""

REPORT_WINDOWS_PER_RUN = 60
"""Windows that one run of the report closes at most: it catches up an hour a minute."""

REPORT_FIRST_REACH = 5
"""Windows that the first report ever reaches back."""

REPORT_WINDOWS_AGAIN = 5
"""Closed windows that are read again for what came late: DynamoDB's indexes lag, and a worker may
write an end after its minute was closed."""

REPORT_RETENTION = timedelta(days=90)
"""How long a window's report is kept."""

SINK_WINDOWS_PER_RUN = 60
"""Windows that one run sends to a sink at most: what was away catches up an hour a minute."""

SINK_TIME = timedelta(seconds=20)
"""For how long one run begins to send windows to a sink."""

SINK_POST_SECONDS = 8.0
"""How long a sink may take to answer, once it has accepted the connection."""

SINK_CONNECT_SECONDS = 3.0
"""How long a sink may take to accept a connection, at each of its addresses."""

SINK_PATIENCE = timedelta(seconds=45)
"""How long a run waits for its sinks in all. What is not done by then hangs."""

SINK_CLAIM = timedelta(seconds=50)
"""How long whoever sends to a sink holds it after each window. Longer than a run waits for it, and
shorter than the minute until the next run, which goes on where a run was stopped."""
