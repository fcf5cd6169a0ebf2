import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('moderation', '0003_lockdown'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Cleanup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.BigIntegerField(blank=True, null=True)),
                ('maker', models.BigIntegerField(blank=True, null=True)),
                ('network', models.CharField(blank=True, max_length=43)),
                ('since', models.DateTimeField(blank=True, null=True)),
                ('until', models.DateTimeField()),
                ('state', models.CharField(choices=[('hiding', 'Hiding'), ('hidden', 'Hidden'), ('showing', 'being undone'), ('shown', 'undone')], default='hiding', max_length=7)),
                ('expected', models.PositiveIntegerField(default=0)),
                ('hidden', models.JSONField(default=dict)),
                ('shown', models.JSONField(default=dict)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'clean-up',
                'verbose_name_plural': 'clean-ups',
                'indexes': [models.Index(condition=models.Q(('state__in', ['hiding', 'showing'])), fields=['id'], name='cleanup_running'), models.Index(condition=models.Q(('network', ''), _negated=True), fields=['until'], name='cleanup_of_network')],
                'constraints': [models.CheckConstraint(condition=models.Q(('token__isnull', False), ('maker__isnull', False), models.Q(('network', ''), _negated=True), ('since__isnull', False), models.Q(('state', 'hiding'), _negated=True), _connector='OR'), name='cleanup_chooses_something')],
            },
        ),
    ]
