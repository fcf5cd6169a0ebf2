// Shows how far it is, every two seconds; not while somebody writes why to undo it.
setInterval(() => {
  const reason = document.getElementById("id_reason");
  if (!reason || (!reason.value && document.activeElement !== reason)) location.reload();
}, 2000);
