"""The Lambda entry point of the feedback function."""

from sentiloop.startup import quick_start

with quick_start():
    from mangum import Mangum
    from sentiloop.activity import Activity
    from sentiloop.activity_store import ActivityWriter
    from sentiloop.s3 import S3Store
    from sentiloop.settings import Settings

    from feedback.routes import create_feedback_app

    settings = Settings.from_env()
    store = S3Store(settings.bucket)
    writer = ActivityWriter(store, Activity(), settings)
    app = create_feedback_app(settings, store, writer)
    handler = Mangum(app, lifespan="off")
