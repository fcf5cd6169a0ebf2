from django.urls import path

from products import views

urlpatterns = [
    path("projects/", views.MyProjects.as_view({"get": "list", "post": "create"})),
    path(
        "projects/<int:pk>/",
        views.ProjectViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
    path("projects/<int:pk>/related/", views.RelatedToProject.as_view()),
    path("products/", views.ProductViewSet.as_view({"get": "list", "post": "create"})),
    path("products/deleted/", views.ProductRemovals.as_view()),
    path("products/me/", views.MyProducts.as_view()),
    path("products/recently_launched/", views.RecentlyLaunched.as_view()),
    path("products/suggest_tags/", views.ProductTags.as_view()),
    path("products/common_tags/", views.ProductTags.as_view()),
    path(
        "products/<slug:slug>/",
        views.ProductViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
    path("products/<slug:slug>/leave/", views.LeaveProduct.as_view()),
    path("products/<slug:slug>/invitations/", views.ProductInvitations.as_view()),
    path("products/<slug:slug>/invitations/<int:pk>/", views.ProductInvitation.as_view()),
    path("me/invitations/", views.MyInvitations.as_view()),
    path("me/invitations/<int:pk>/accept/", views.AcceptInvitation.as_view()),
    path("me/invitations/<int:pk>/decline/", views.DeclineInvitation.as_view()),
    path("products/<slug:slug>/people/", views.ProductPeople.as_view()),
    path("products/<slug:slug>/projects/", views.ProductProjects.as_view()),
    path("products/<slug:slug>/related_products/", views.RelatedProducts.as_view()),
    path("launches/", views.Launches.as_view()),
    path("users/<str:maker>/products/", views.MakerProducts.as_view()),
]
