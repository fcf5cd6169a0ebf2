import django.contrib.postgres.operations as postgres
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of tables that are large and in use: nothing here keeps their writers waiting."""

    atomic = False

    dependencies = [
        ('discussions', '0002_cleanups'),
    ]

    operations = [
        postgres.AddIndexConcurrently(
            model_name='discussion',
            index=models.Index(condition=models.Q(('hidden', False), ('posted_with__isnull', False)), fields=['posted_with', 'created_at', 'id'], name='discussion_posted_with'),
        ),
        postgres.AddIndexConcurrently(
            model_name='discussion',
            index=models.Index(condition=models.Q(('posted_from__isnull', False)), fields=['hidden', 'posted_from', 'created_at', 'id'], name='discussion_posted_from'),
        ),
        postgres.AddIndexConcurrently(
            model_name='discussion',
            index=models.Index(condition=models.Q(('cleanup__isnull', False)), fields=['cleanup', 'id'], name='discussion_cleanup'),
        ),
        postgres.AddIndexConcurrently(
            model_name='participant',
            index=models.Index(condition=models.Q(('hidden', False)), fields=['discussion', 'id'], name='participant_shown'),
        ),
        postgres.AddIndexConcurrently(
            model_name='reply',
            index=models.Index(condition=models.Q(('hidden', False)), fields=['author', 'created_at', 'id'], name='reply_of_author'),
        ),
        postgres.AddIndexConcurrently(
            model_name='reply',
            index=models.Index(condition=models.Q(('hidden', False)), fields=['created_at', 'id'], name='reply_new'),
        ),
        postgres.AddIndexConcurrently(
            model_name='reply',
            index=models.Index(condition=models.Q(('hidden', False), ('posted_with__isnull', False)), fields=['posted_with', 'created_at', 'id'], name='reply_posted_with'),
        ),
        postgres.AddIndexConcurrently(
            model_name='reply',
            index=models.Index(condition=models.Q(('posted_from__isnull', False)), fields=['hidden', 'posted_from', 'created_at', 'id'], name='reply_posted_from'),
        ),
        postgres.AddIndexConcurrently(
            model_name='reply',
            index=models.Index(condition=models.Q(('cleanup__isnull', False)), fields=['cleanup', 'id'], name='reply_cleanup'),
        ),
        postgres.AddConstraintNotValid(
            model_name='discussion',
            constraint=models.CheckConstraint(condition=models.Q(('cleanup', None), ('hidden', True), _connector='OR'), name='discussion_cleaned_up_is_hidden'),
        ),
        postgres.ValidateConstraint(model_name='discussion', name='discussion_cleaned_up_is_hidden'),
        postgres.AddConstraintNotValid(
            model_name='reply',
            constraint=models.CheckConstraint(condition=models.Q(('cleanup', None), ('hidden', True), _connector='OR'), name='reply_cleaned_up_is_hidden'),
        ),
        postgres.ValidateConstraint(model_name='reply', name='reply_cleaned_up_is_hidden'),
        postgres.RemoveIndexConcurrently(
            model_name='participant',
            name='participant_order',
        ),
    ]
