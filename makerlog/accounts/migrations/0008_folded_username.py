import makerlog.api.folded
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("accounts", "0007_media_quota")]

    operations = [
        migrations.AddField("maker", "folded_username", makerlog.api.folded.FoldedField(source="username")),
    ]
