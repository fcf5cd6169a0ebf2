from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("accounts", "0009_one_maker_of_a_name")]

    operations = [migrations.RemoveConstraint("maker", "one_maker_per_username")]
