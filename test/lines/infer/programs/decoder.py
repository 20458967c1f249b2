import torch
from torch import nn
torch.manual_seed(0)
class MHA(nn.Module):
    def __init__(s,d,h):
        super().__init__(); s.q=nn.Linear(d,d); s.k=nn.Linear(d,d); s.v=nn.Linear(d,d); s.o=nn.Linear(d,d); s.h=h
    def forward(s,x,mem,mask=None):
        B,T,D=x.shape; S=mem.shape[1]
        q=s.q(x).view(B,T,s.h,-1).transpose(1,2); k=s.k(mem).view(B,S,s.h,-1).transpose(1,2); v=s.v(mem).view(B,S,s.h,-1).transpose(1,2)
        a=q@k.transpose(-1,-2)/(D//s.h)**.5
        if mask is not None: a=a+mask
        return s.o((a.softmax(-1)@v).transpose(1,2).reshape(B,T,D))
class Layer(nn.Module):
    def __init__(s): super().__init__(); s.self_attn=MHA(8,2); s.cross_attn=MHA(8,2); s.n1=nn.LayerNorm(8); s.n2=nn.LayerNorm(8)
    def forward(s,x,mem):
        T=x.shape[1]; m=torch.full((T,T),float('-inf')).triu(1)
        x=s.n1(x+s.self_attn(x,x,m)); return s.n2(x+s.cross_attn(x,mem))
l=Layer(); x=torch.randn(2,4,8,requires_grad=True); mem=torch.randn(2,6,8)
y=l(x,mem); (y**2).mean().backward()
print("done")
