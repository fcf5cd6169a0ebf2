from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("products", "0004_folded_names"), ("tasks", "0005_text_in_one_spelling")]

    reviewed = {
        "SeparateDatabaseAndState": "a unique index, built while everybody writes; the old code leaves NULL, of which any number may be",
    }

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    """CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_project_of_a_name
                    ON products_project (author_id, folded) WHERE folded IS NOT NULL""",
                    "DROP INDEX IF EXISTS one_project_of_a_name",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    "project",
                    models.UniqueConstraint(
                        fields=["author", "folded"], name="one_project_of_a_name", condition=Q(folded__isnull=False)
                    ),
                )
            ],
        ),
    ]
