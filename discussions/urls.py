from django.urls import path

from discussions import views

urlpatterns = [
    path("discussions/", views.DiscussionViewSet.as_view({"get": "list", "post": "create"})),
    path("discussions/deleted/", views.DiscussionRemovals.as_view()),
    path("discussions/recent_discussions/", views.RecentDiscussions.as_view()),
    path("discussions/recent_questions/", views.RecentQuestions.as_view()),
    path("discussions/trending/", views.Trending.as_view()),
    path(
        "discussions/<slug:slug>/",
        views.DiscussionViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
    path("discussions/<slug:slug>/replies/", views.Replies.as_view({"get": "list", "post": "create"})),
    path("discussions/<slug:slug>/replies/people/", views.People.as_view()),
    path(
        "discussions/<slug:slug>/replies/<int:pk>/",
        views.Replies.as_view({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
    ),
    path(
        "discussions/<slug:slug>/replies/<int:pk>/praise/",
        views.ReplyPraises.as_view({"get": "retrieve", "post": "toggle", "put": "put", "delete": "delete"}),
    ),
]
