from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0005_text_in_one_spelling'),
    ]

    operations = [
        migrations.AddField(
            model_name='daycount',
            name='listed',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
