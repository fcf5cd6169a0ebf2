import django.contrib.postgres.operations as postgres
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of tables that are large and in use: nothing here keeps their writers waiting."""

    atomic = False

    dependencies = [
        ('tasks', '0002_cleanups'),
    ]

    operations = [
        postgres.AddIndexConcurrently(
            model_name='task',
            index=models.Index(condition=models.Q(('hidden', False), ('posted_with__isnull', False)), fields=['posted_with', 'created_at', 'id'], name='task_posted_with'),
        ),
        postgres.AddIndexConcurrently(
            model_name='task',
            index=models.Index(condition=models.Q(('posted_from__isnull', False)), fields=['hidden', 'posted_from', 'created_at', 'id'], name='task_posted_from'),
        ),
        postgres.AddIndexConcurrently(
            model_name='task',
            index=models.Index(condition=models.Q(('cleanup__isnull', False)), fields=['cleanup', 'id'], name='task_cleanup'),
        ),
        postgres.AddIndexConcurrently(
            model_name='taskcomment',
            index=models.Index(condition=models.Q(('hidden', False)), fields=['author', 'created_at', 'id'], name='comment_of_author'),
        ),
        postgres.AddIndexConcurrently(
            model_name='taskcomment',
            index=models.Index(condition=models.Q(('hidden', False)), fields=['created_at', 'id'], name='comment_new'),
        ),
        postgres.AddIndexConcurrently(
            model_name='taskcomment',
            index=models.Index(condition=models.Q(('hidden', False), ('posted_with__isnull', False)), fields=['posted_with', 'created_at', 'id'], name='comment_posted_with'),
        ),
        postgres.AddIndexConcurrently(
            model_name='taskcomment',
            index=models.Index(condition=models.Q(('posted_from__isnull', False)), fields=['hidden', 'posted_from', 'created_at', 'id'], name='comment_posted_from'),
        ),
        postgres.AddIndexConcurrently(
            model_name='taskcomment',
            index=models.Index(condition=models.Q(('cleanup__isnull', False)), fields=['cleanup', 'id'], name='comment_cleanup'),
        ),
        postgres.AddConstraintNotValid(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(('cleanup', None), ('hidden', True), _connector='OR'), name='task_cleaned_up_is_hidden'),
        ),
        postgres.ValidateConstraint(model_name='task', name='task_cleaned_up_is_hidden'),
        postgres.AddConstraintNotValid(
            model_name='taskcomment',
            constraint=models.CheckConstraint(condition=models.Q(('cleanup', None), ('hidden', True), _connector='OR'), name='comment_cleaned_up_is_hidden'),
        ),
        postgres.ValidateConstraint(model_name='taskcomment', name='comment_cleaned_up_is_hidden'),
    ]
