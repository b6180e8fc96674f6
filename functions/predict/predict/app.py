"""The Lambda entry point of the predict function."""

from sentiloop.startup import quick_start

with quick_start():
    from mangum import Mangum
    from sentiloop.activity import Activity
    from sentiloop.activity_store import ActivityWriter
    from sentiloop.s3 import S3Store
    from sentiloop.serving import LiveModel
    from sentiloop.settings import Settings

    from predict import snapstart
    from predict.routes import create_predict_app
    from predict.samples import Samples

    settings = Settings.from_env()
    # A user waits for these calls, and an answer needs none of them: fail early rather than hold a request up.
    store = S3Store(settings.bucket, read_timeout=2, attempts=2)
    live = LiveModel(store, settings.refresh_seconds)
    writer = ActivityWriter(store, Activity(), settings)
    app = create_predict_app(settings, live, Samples(store, settings), writer)
    handler = Mangum(app, lifespan="off")
    snapstart.register(live, store)
