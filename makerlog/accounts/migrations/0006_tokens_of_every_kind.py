import django.contrib.postgres.operations as postgres
from django.db import migrations, models


class Migration(migrations.Migration):
    """The list of a maker's tokens holds log-ins, too."""

    atomic = False

    dependencies = [
        ('accounts', '0005_paused_tokens'),
    ]

    operations = [
        postgres.AddIndexConcurrently(
            model_name='accesstoken',
            index=models.Index(condition=models.Q(('revoked_at', None)), fields=['maker', 'id'], name='token_of_maker'),
        ),
    ]
