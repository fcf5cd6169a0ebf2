from django.conf import settings
from django.db import models


class Task(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    content = models.TextField()
    done = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    objects: models.Manager["Task"]

    class Meta:
        app_label = "control"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.content
