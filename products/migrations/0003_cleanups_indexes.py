import django.contrib.postgres.operations as postgres
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of tables that are large and in use: nothing here keeps their writers waiting."""

    atomic = False

    dependencies = [
        ('products', '0002_cleanups'),
    ]

    operations = [
        postgres.AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('hidden', False), ('posted_with__isnull', False)), fields=['posted_with', 'created_at', 'id'], name='product_posted_with'),
        ),
        postgres.AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('posted_from__isnull', False)), fields=['hidden', 'posted_from', 'created_at', 'id'], name='product_posted_from'),
        ),
        postgres.AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('cleanup__isnull', False)), fields=['cleanup', 'id'], name='product_cleanup'),
        ),
        postgres.AddConstraintNotValid(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('cleanup', None), ('hidden', True), _connector='OR'), name='product_cleaned_up_is_hidden'),
        ),
        postgres.ValidateConstraint(model_name='product', name='product_cleaned_up_is_hidden'),
    ]
