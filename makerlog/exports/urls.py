from django.urls import path

from makerlog.exports import views

urlpatterns = [
    path("me/export_data/", views.MyExport.as_view()),
]
