from typing import Any

from django.urls import path

from makerlog.accounts import views

one: Any = {"get": "retrieve", "patch": "partial_update"}
maker = views.Makers.as_view(one)

urlpatterns = [
    path("api-token-auth/", views.LogIn.as_view()),
    path("tokens/", views.Tokens.as_view({"get": "list", "post": "create"})),
    path("tokens/current/", views.CurrentToken.as_view()),
    path("tokens/<int:pk>/", views.Tokens.as_view({"delete": "destroy"})),
    path("me/", views.Me.as_view(one)),
    path("me/privileged/", views.PrivilegedMe.as_view(one)),
    path("me/set_timezone/", views.SetTimezone.as_view()),
    path("me/following/", views.MyFollowing.as_view()),
    path("me/refusals/", views.MyRefusals.as_view()),
    path("users/", views.Makers.as_view({"get": "list"})),
    path("users/username/<str:maker>/", maker),  # as a third-party site calls it
    path("users/<str:maker>/", maker),
    path("users/<str:maker>/is_following/", views.IsFollowing.as_view()),
    path("users/<str:maker>/follow/", views.FollowMaker.as_view()),
    path("users/<str:maker>/unfollow/", views.UnfollowMaker.as_view()),
    path("accounts/register_preflight/", views.RegisterPreflight.as_view()),
    path("accounts/register/", views.Register.as_view()),
    path("accounts/email_activate/<str:uid>/<str:token>/", views.Activate.as_view()),
    path("accounts/email_confirm/<str:uid>/<str:token>/", views.ConfirmEmail.as_view()),
    path("accounts/forgot/", views.Forgot.as_view()),
    path("accounts/reset/", views.Reset.as_view()),
    path("accounts/reset/<str:uid>/<str:token>/", views.ResetLink.as_view()),
    path("accounts/change_password/", views.ChangePassword.as_view()),
    path("accounts/change_username/", views.ChangeUsername.as_view()),
    path("accounts/delete_account/", views.DeleteAccount.as_view()),
]
