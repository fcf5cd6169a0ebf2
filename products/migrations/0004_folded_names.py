import makerlog.api.folded
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("products", "0003_cleanups_indexes")]

    operations = [
        migrations.AddField("project", "folded", makerlog.api.folded.FoldedField(source="name")),
    ]
