"""The Lambda entry point of the admin function."""

from sentiloop.startup import quick_start

with quick_start():
    from mangum import Mangum
    from sentiloop.s3 import S3Store
    from sentiloop.settings import Settings

    from admin.routes import create_admin_app

    settings = Settings.from_env()
    app = create_admin_app(settings, S3Store(settings.bucket))
    handler = Mangum(app, lifespan="off")
