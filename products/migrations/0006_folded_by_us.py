from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("products", "0005_one_project_of_a_name")]

    operations = [migrations.RemoveConstraint("project", "one_project_per_name")]
