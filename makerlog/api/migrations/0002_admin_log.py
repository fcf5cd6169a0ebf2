from django.db import migrations


class Migration(migrations.Migration):
    """Django's admin lists what one moderator did last, and all that was done to one thing; it has an index for neither."""

    dependencies = [
        ("api", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX admin_log_by_user ON django_admin_log (user_id, action_time)",
            "DROP INDEX admin_log_by_user",
        ),
        migrations.RunSQL(
            "CREATE INDEX admin_log_by_thing ON django_admin_log (content_type_id, object_id, action_time)",
            "DROP INDEX admin_log_by_thing",
        ),
    ]
